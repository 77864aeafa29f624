#!/usr/bin/env python3
"""Checks the Kubernetes manifest against Kubernetes' own schema, and what no schema sees.

    kubernetes.py MANIFEST TYR

MANIFEST must be accepted whole, and refused with any of a few mistakes in it. TYR is an executable
that must know the options in it.
"""

import copy
import subprocess
import sys

import kubernetes_validate
import yaml

# Old and new: what both accept every version between them does.
VERSIONS = ("1.28", "1.34")


def refusal(document, version):
    """Why Kubernetes refuses the document; None when it does not."""
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return str(error).splitlines()[0]
    except (kubernetes_validate.InvalidSchemaError, kubernetes_validate.SchemaNotFoundError) as error:
        return str(error)
    return None


def put(value, *path):
    def change(document):
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
    return change


def remove(*path):
    def change(document):
        place = document
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]
    return change


POD = ("spec", "template", "spec")
CONTAINER = POD + ("containers", 0)
MISTAKES = [
    ("Deployment", "a field that is none", put(1, "spec", "replica")),
    ("Deployment", "a number as text", put("one", "spec", "replicas")),
    ("Deployment", "no selector", remove("spec", "selector")),
    ("Deployment", "a port without a number", remove(*CONTAINER, "ports", 0, "containerPort")),
    ("DaemonSet", "a misspelt field", put(True, *POD, "hostPid")),
    ("DaemonSet", "a boolean as text", put("yes", *CONTAINER, "securityContext", "privileged")),
    ("DaemonSet", "a secret without a key", remove(*CONTAINER, "env", 0, "valueFrom", "secretKeyRef", "key")),
    ("Service", "a list as text", put("7700", "spec", "ports")),
    ("ServiceAccount", "another kind", put("ServiceAcount", "kind")),
    ("Namespace", "another version", put("v2", "apiVersion")),
]


def check_references(documents, problems):
    """Names that one document uses and another defines."""
    accounts = {found["metadata"]["name"]: found for found in documents if found["kind"] == "ServiceAccount"}
    for name, account in accounts.items():
        if account.get("automountServiceAccountToken") is not False:
            problems.append(f"account {name} mounts a token")
    workloads = [found for found in documents if found["kind"] in ("Deployment", "DaemonSet")]
    for found in workloads:
        name, pod = found["metadata"]["name"], found["spec"]["template"]["spec"]
        labels = found["spec"]["template"]["metadata"]["labels"]
        if not found["spec"]["selector"]["matchLabels"].items() <= labels.items():
            problems.append(f"{name}: its selector does not match its pods")
        if pod["serviceAccountName"] not in accounts or pod.get("automountServiceAccountToken") is not False:
            problems.append(f"{name}: no account of its own, or one with a token")
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        for mount in pod["containers"][0].get("volumeMounts", []):
            if mount["name"] not in volumes:
                problems.append(f"{name}: no volume {mount['name']}")
    for service in (found for found in documents if found["kind"] == "Service"):
        chosen = [
            found for found in workloads
            if service["spec"]["selector"].items() <= found["spec"]["template"]["metadata"]["labels"].items()
        ]
        if len(chosen) != 1:
            problems.append(f"service {service['metadata']['name']} chooses {len(chosen)} workloads")
            continue
        ports = {port["name"] for port in chosen[0]["spec"]["template"]["spec"]["containers"][0]["ports"]}
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in ports:
                problems.append(f"service: no port {port['targetPort']}")
    namespaces = {found["metadata"].get("namespace") for found in documents if found["kind"] != "Namespace"}
    if namespaces != {found["metadata"]["name"] for found in documents if found["kind"] == "Namespace"}:
        problems.append(f"namespaces {namespaces}")


def check_arguments(documents, tyr, problems):
    """The executable knows every option of the containers."""
    for found in documents:
        if found["kind"] not in ("Deployment", "DaemonSet"):
            continue
        role, *arguments = found["spec"]["template"]["spec"]["containers"][0]["args"]
        shown = subprocess.run([tyr, role, "--help"], check=True, capture_output=True, text=True).stdout
        for option in (argument for argument in arguments if argument.startswith("--")):
            if f"{option} " not in shown:
                problems.append(f"tyr {role} has no option {option}")


def main():
    manifest, tyr = sys.argv[1:]
    with open(manifest, encoding="utf-8") as file:
        documents = list(yaml.safe_load_all(file))
    checks, problems = 0, []
    for version in VERSIONS:
        for document in documents:
            checks += 1
            if why := refusal(document, version):
                problems.append(f"{document['kind']} {document['metadata']['name']}: {version}: {why}")
        for kind, mistake, change in MISTAKES:
            document = copy.deepcopy(next(found for found in documents if found["kind"] == kind))
            change(document)
            checks += 1
            if refusal(document, version) is None:
                problems.append(f"{version} accepts {mistake} in a {kind}: this check sees nothing")
    checks += 2
    check_references(documents, problems)
    check_arguments(documents, tyr, problems)
    for problem in problems:
        print(f"FAILED  {problem}")
    print(f"{max(checks - len(problems), 0)} passed, {len(problems)} failed")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
