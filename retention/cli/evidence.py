"""`certify` and `verify`: a certificate, and checking one without trusting us."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retention.cli.files import writing
from retention.cli.opening import opened
from retention.cli.options import Config, Json
from retention.cli.shown import Document, as_json, say, say_json, tell
from retention.errors import NotInOrder


def certify(
    case: Annotated[str, typer.Argument(help="The case, as `status` names it.", show_default=False)],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            metavar="FILE",
            help="The certificate; its proof (.tlog-proof) and a page to read (.pdf) are written beside it. "
            "`-` writes the certificate alone, to standard output.",
            show_default=False,
        ),
    ],
    config: Config = None,
    *,
    json: Json = False,
) -> None:
    """Issue the signed certificate of a case as it stands now."""
    from retention.workflows.certificate_files import certificate_files, file_names
    from retention.workflows.certify import certify as issue

    with opened(config) as deployment:
        issued = issue(deployment, case)
        files = certificate_files(deployment, issued)
        verifier_key = str(deployment.journal.ledger.key)
    if out == "-":
        with writing(out) as file:
            file.write(files.certificate)
        return
    names = file_names(Path(out))
    with writing(out) as file, writing(str(names.proof)) as proof, writing(str(names.page)) as page:
        file.write(files.certificate)
        proof.write(files.proof)
        page.write(files.page)
    statement = issued.certificate.statement
    if json:
        document: dict[str, Document] = {"case": case, "file": out, "proof": str(names.proof), "pdf": str(names.page)}
        document |= {"final": issued.final, "exceptions": len(statement.exceptions)}
        say_json({**document, "statement": statement.hash(), "verifier_key": verifier_key})
        return
    say(f"{out}: the certificate of case {case}")
    say(f"{names.proof}: the proof that it was issued")
    say(f"{names.page}: the same on a page to read")
    if not issued.final:
        waiting = sum(key.unrecoverable_at is None for key in statement.keys)
        counts = (
            f"copies that are not gone: {len(statement.exceptions)}; keys that wait for their epoch to go: {waiting}"
        )
        say(f"not final: {counts}")
    say(f"check it with: retention verify {out} {names.proof} --key {verifier_key}")


def verify(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Certificates, their proofs, saved checkpoints, reports and ledgers (both directories).",
        ),
    ],
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="VERIFIER_KEY",
            help="The public key as `retention key list` shows it (name+id+base64), or a file that holds it. With it, "
            "nothing else is needed: no configuration, no network. Without it, this service's own key.",
        ),
    ] = None,
    config: Config = None,
    *,
    json: Json = False,
) -> None:
    """Check certificates, reports and ledgers offline, alone and against each other. Exits with 4 when anything is wrong."""
    from retention.workflows.verify_evidence import verify_evidence

    if key is None:
        with opened(config) as deployment:
            key = str(deployment.journal.ledger.key)
        tell(f"checked with this service's own key: {key}")
    elif Path(key).is_file():
        key = Path(key).read_text(encoding="utf-8")
    found = verify_evidence(files, key)
    if json:
        say_json(as_json(found))
    else:
        counts = (
            f"{found.certificate_count} certificates, {found.ledger_count} ledgers with {found.entry_count} entries"
        )
        reports = f", {found.report_count} reports" if found.report_count else ""
        proofs = f", {found.proof_count} proofs" if found.proof_count else ""
        say(f"checked: {counts}, {found.checkpoint_count} checkpoints{proofs}{reports}")
        if found.uncited_count:
            say(f"{found.uncited_count} reports have no ledger with them: give it along to check what their rows cite")
        say("nothing is wrong" if not found.findings else f"{len(found.findings)} findings")
    for finding in found.findings:
        tell(str(finding))
    if found.findings:
        raise typer.Exit(NotInOrder.exit_code)
