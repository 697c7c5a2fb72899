"""validate.py FOLDER: whether each manifest of a folder has the form that Kubernetes' own schemas ask for, and names what is there.

Exit code 1, with a line for each mistake.
"""

import pathlib
import sys

import kubernetes_validate
import yaml


def mistakes(folder: pathlib.Path) -> list[str]:
    found: list[str] = []
    documents = []
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())
    for name in listed["resources"]:
        for document in yaml.safe_load_all((folder / name).read_text()):
            documents.append(document)
            try:
                kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
            except kubernetes_validate.ValidationError as error:
                found.append(f"{name}: {'.'.join(str(part) for part in error.path)}: {error.message}")
    missing = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"} - set(listed["resources"])
    found += [f"{name} is not in kustomization.yaml" for name in sorted(missing)]
    found += unselected(documents)
    return found


def unselected(documents: list[dict]) -> list[str]:
    """Services, budgets and policies that select no pod of ours."""
    labels = [d["spec"]["template"]["metadata"]["labels"] for d in documents if d["kind"] == "StatefulSet"]
    ports = {p["name"] for d in documents if d["kind"] == "StatefulSet" for c in d["spec"]["template"]["spec"]["containers"] for p in c["ports"]}
    found = []
    for document in documents:
        spec = document.get("spec", {})
        selector = spec.get("selector") or spec.get("podSelector") or {}
        selector = selector.get("matchLabels", selector)
        if selector and not any(selector.items() <= has.items() for has in labels):
            found.append(f"{document['kind']} {document['metadata']['name']} selects nothing: {selector}")
        if document["kind"] == "Service":
            found += [f"Service {document['metadata']['name']}: no port {p['targetPort']}" for p in spec["ports"] if p["targetPort"] not in ports]
    return found


if __name__ == "__main__":
    wrong = mistakes(pathlib.Path(sys.argv[1]))
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)
