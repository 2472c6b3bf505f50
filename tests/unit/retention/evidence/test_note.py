"""Signed notes and checkpoints, against the examples of their specifications."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from retention.evidence.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from retention.evidence.errors import Malformed, SignatureInvalid, WrongOrigin
from retention.evidence.merkle import EMPTY_ROOT
from retention.evidence.note import Note, SeedSigner, VerifierKey, encode_base64, sign_note

# The example of C2SP signed-note, section "Verifier keys".
SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
OTHER = SeedSigner("witness.example", bytes(32))


def cosigned(note: bytes, signer: SeedSigner) -> bytes:
    """The note with one more signature line."""
    text = Note.parse(note).unverified_text
    return note + sign_note(text, signer)[len(text.encode()) + 1 :]


def test_the_note_of_the_specification_verifies() -> None:
    key = VerifierKey.parse(SPEC_KEY)
    assert str(key) == SPEC_KEY
    assert Note.parse(SPEC_NOTE).verify(key) == "This is an example message.\n"


def test_a_changed_note_does_not_verify() -> None:
    with pytest.raises(SignatureInvalid, match="is wrong"):
        Note.parse(SPEC_NOTE.replace(b"example message", b"exbmple message")).verify(VerifierKey.parse(SPEC_KEY))


def test_signatures_of_unknown_keys_are_passed_over_and_are_not_enough(signer: SeedSigner) -> None:
    note = cosigned(sign_note("text\n", signer), OTHER)
    assert Note.parse(note).verify(signer.verifier_key) == "text\n"
    assert Note.parse(note).verify(OTHER.verifier_key) == "text\n"
    with pytest.raises(SignatureInvalid, match="no signature by"):
        Note.parse(sign_note("text\n", OTHER)).verify(signer.verifier_key)


def test_a_key_of_the_same_name_with_another_id_is_an_unknown_key(signer: SeedSigner) -> None:
    namesake = SeedSigner(signer.verifier_key.name, bytes(32))
    with pytest.raises(SignatureInvalid, match="no signature by"):
        Note.parse(sign_note("text\n", namesake)).verify(signer.verifier_key)


def test_a_wrong_signature_beside_a_right_one_by_the_same_key_is_refused(signer: SeedSigner) -> None:
    wrong = sign_note("other\n", signer)[len(b"other\n\n") :]
    with pytest.raises(SignatureInvalid, match="is wrong"):
        Note.parse(sign_note("text\n", signer) + wrong).verify(signer.verifier_key)


def test_the_text_may_have_empty_lines(signer: SeedSigner) -> None:
    assert Note.parse(sign_note("one\n\ntwo\n", signer)).verify(signer.verifier_key) == "one\n\ntwo\n"


SIGNATURE = "— a.example " + encode_base64(b"12345")


@pytest.mark.parametrize(
    "note",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"text\n", id="no signatures"),
        pytest.param(b"text\n\n", id="an empty line and nothing behind it"),
        pytest.param(f"text\n\n{SIGNATURE}".encode(), id="no last newline"),
        pytest.param(f"text\n\n- a.example {encode_base64(b'12345')}\n".encode(), id="a hyphen for the dash"),
        pytest.param("text\n\n— a.example\n".encode(), id="no signature in the line"),
        pytest.param("text\n\n— a.example MTIzNDU\n".encode(), id="base 64 without padding"),
        pytest.param("text\n\n— a.example MTIzNB==\n".encode(), id="base 64 with stray bits"),
        pytest.param("text\n\n— a.example MTIz\n".encode(), id="a signature shorter than a key id"),
        pytest.param(f"text\n\n— a+b {encode_base64(b'12345')}\n".encode(), id="a plus in the name"),
        pytest.param(f"te\txt\n\n{SIGNATURE}\n".encode(), id="a tab"),
        pytest.param(f"text\r\n\n{SIGNATURE}\n".encode(), id="a carriage return"),
        pytest.param(b"\xff\n\n" + SIGNATURE.encode() + b"\n", id="not UTF-8"),
        pytest.param(b"x" * (1 << 20) + f"\n\n{SIGNATURE}\n".encode(), id="longer than a mebibyte"),
    ],
)
def test_what_is_no_note_is_refused(note: bytes) -> None:
    with pytest.raises(Malformed):
        Note.parse(note)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("example.com/foo+530d903a", id="two parts"),
        pytest.param(SPEC_KEY.replace("530d903a", "530d903b"), id="another id"),
        pytest.param(SPEC_KEY.replace("530d903a", "530D903A"), id="an id in capitals"),
        pytest.param(SPEC_KEY.replace("+Aeky", "+Auky"), id="another type"),
        pytest.param(SPEC_KEY[:-4], id="a short key"),
        pytest.param("exam ple" + SPEC_KEY[11:], id="a space in the name"),
        pytest.param("+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", id="no name"),
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        VerifierKey.parse(text)


def test_a_text_without_newline_and_a_short_seed_are_refused(signer: SeedSigner) -> None:
    with pytest.raises(Malformed, match="newline"):
        sign_note("text", signer)
    with pytest.raises(Malformed, match="32 bytes"):
        SeedSigner("a.example", bytes(31))


def test_the_worked_example_is_what_this_key_signs(example: Callable[[str, str], str], signer: SeedSigner) -> None:
    note = example("ledger", "checkpoint").encode()
    assert str(signer.verifier_key) == example("ledger", "vkey").strip()
    checkpoint = open_checkpoint(note, signer.verifier_key)
    assert sign_checkpoint(checkpoint.size, checkpoint.root, signer) == note


def test_a_checkpoint_with_extension_lines_is_read() -> None:
    text = f"a.example\n0\n{encode_base64(EMPTY_ROOT)}\nmore\n"
    checkpoint = parse_checkpoint(text)
    assert checkpoint == Checkpoint("a.example", 0, EMPTY_ROOT, ("more",))
    assert checkpoint.text() == text


def test_a_checkpoint_of_another_log_is_refused_although_the_key_signed_it(signer: SeedSigner) -> None:
    text = Checkpoint("other.example", 0, EMPTY_ROOT).text()
    with pytest.raises(WrongOrigin, match=r"other\.example"):
        open_checkpoint(sign_note(text, signer), signer.verifier_key)


ROOT = encode_base64(bytes(32))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"a\n1\n{ROOT}", id="no last newline"),
        pytest.param("a\n1\n", id="no root"),
        pytest.param(f"\n1\n{ROOT}\n", id="an empty origin"),
        pytest.param(f"a\n01\n{ROOT}\n", id="a leading zero"),
        pytest.param(f"a\n+1\n{ROOT}\n", id="a sign"),
        pytest.param(f"a\n١\n{ROOT}\n", id="a digit that is not ASCII"),
        pytest.param(f"a\n-1\n{ROOT}\n", id="a negative size"),
        pytest.param(f"a\n{'9' * 20}\n{ROOT}\n", id="a size of twenty digits"),
        pytest.param("a\n1\nAAAA\n", id="a short root"),
        pytest.param(f"a\n1\n{ROOT}\n\nx\n", id="an empty line"),
        pytest.param(f"a\n0\n{ROOT}\n", id="an empty tree with a root"),
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_checkpoint(text)
