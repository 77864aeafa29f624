#!/usr/bin/env bash
# npm: a package with a dependency in a folder, one in a tarball, bin links, life cycle scripts.
set -euo pipefail

export npm_config_cache=$PWD/cache npm_config_update_notifier=false npm_config_offline=true
export npm_config_audit=false npm_config_fund=false npm_config_loglevel=error
mkdir -p greet count app/src
cat >greet/package.json <<'JSON'
{"name": "greet", "version": "1.0.0", "main": "index.js", "bin": {"greet": "cli.js"}}
JSON
echo 'module.exports = (name) => `hello ${name}`;' >greet/index.js
printf '#!/usr/bin/env node\nconsole.log(require("./index.js")(process.argv[2]));\n' >greet/cli.js
chmod +x greet/cli.js
cat >count/package.json <<'JSON'
{"name": "count", "version": "2.0.0", "main": "index.js",
 "scripts": {"install": "node -e \"require('fs').writeFileSync('built.txt', 'built by ' + process.env.npm_lifecycle_event)\""}}
JSON
echo 'module.exports = (list) => list.length;' >count/index.js
(cd count && npm pack --silent --pack-destination ..)
cat >app/package.json <<'JSON'
{"name": "app", "version": "0.0.1", "private": true,
 "dependencies": {"greet": "file:../greet", "count": "file:../count-2.0.0.tgz"},
 "scripts": {"prebuild": "mkdir -p dist", "build": "cp src/index.js dist/ && greet builder"}}
JSON
echo 'console.log(require("greet")("world"), require("count")([1, 2, 3]));' >app/src/index.js
cd app
npm install >/dev/null
npm run --silent build
node dist/index.js
node_modules/.bin/greet someone
cat node_modules/count/built.txt
rm -rf node_modules
npm ci >/dev/null
node dist/index.js
# Times of installation.
rm -rf ../cache node_modules/.package-lock.json
