#!/usr/bin/env node
// Node programs: children, workers, a cluster, servers, watches, files.

import { execFileSync, fork, spawn } from "node:child_process";
import cluster from "node:cluster";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import zlib from "node:zlib";

const self = fileURLToPath(import.meta.url);

async function children() {
  console.log(execFileSync("sh", ["-c", "echo $0 from a child"]).toString().trim());
  const cat = spawn("cat", { stdio: ["pipe", "pipe", "inherit"] });
  cat.stdin.end("through a pipe");
  let text = "";
  for await (const chunk of cat.stdout) text += chunk;
  console.log(text);
  const child = fork(self, ["forked"]);
  const [message] = await once(child, "message");
  console.log(message);
  await once(child, "exit");
  const worker = new Worker(self, { workerData: { n: 7 } });
  console.log(await once(worker, "message"));
  await worker.terminate();
}

async function servers() {
  const echo = net.createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(echo, "listening");
  const client = net.connect(echo.address().port, "127.0.0.1");
  client.write("echoed");
  console.log((await once(client, "data")).toString());
  client.destroy();
  echo.close();
  const unix = net.createServer((socket) => socket.end("over unix")).listen("node.sock");
  await once(unix, "listening");
  console.log((await once(net.connect("node.sock"), "data")).toString());
  unix.close();
  const web = http.createServer((request, response) => response.end(request.url)).listen(0, "127.0.0.1");
  await once(web, "listening");
  const answer = await fetch(`http://127.0.0.1:${web.address().port}/asked`);
  console.log(answer.status, await answer.text());
  web.closeAllConnections();
  web.close();
}

async function workers() {
  cluster.setupPrimary({ exec: self, args: ["clustered"] });
  const answers = [];
  for (let n = 0; n < 2; n++) {
    const worker = cluster.fork();
    const [address] = await once(worker, "listening");
    const answer = await fetch(`http://127.0.0.1:${address.port}/`);
    answers.push(await answer.text());
    worker.kill();
    await once(worker, "exit");
  }
  console.log(answers);
}

async function files() {
  fs.mkdirSync("made/deeper", { recursive: true });
  const changed = new Promise((resolve) => {
    const watcher = fs.watch("made", (event, name) => {
      watcher.close();
      resolve(`${event} ${name}`);
    });
  });
  fs.writeFileSync("made/watched", "text");
  console.log(await changed);
  await pipeline(fs.createReadStream(process.execPath, { end: 300000 }), zlib.createGzip(), fs.createWriteStream("made/gz"));
  await fs.promises.cp("made", "copied", { recursive: true });
  fs.renameSync("copied", "moved");
  fs.symlinkSync("moved", "link");
  fs.linkSync("made/watched", "hard");
  await fs.promises.appendFile("hard", " more");
  console.log(fs.readFileSync("made/watched", "utf8"), fs.readdirSync("link").sort(), fs.realpathSync("link") === path.resolve("moved"));
  fs.rmSync("moved", { recursive: true });
  for (const name of ["/etc/shadow", "/nowhere"]) {
    await fs.promises.readFile(name).catch((error) => console.log(name, error.code));
  }
  fs.rmSync("made/gz");
}

if (!isMainThread) {
  parentPort.postMessage(workerData.n * fs.readFileSync("/proc/self/comm").length);
  parentPort.close();
} else if (process.argv[2] === "forked") {
  process.send("a message", () => process.disconnect());
} else if (process.argv[2] === "clustered") {
  http.createServer((request, response) => response.end("from a worker")).listen(0, "127.0.0.1");
} else {
  await children();
  await servers();
  await workers();
  await files();
}
