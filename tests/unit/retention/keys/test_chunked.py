"""C2SP chunked-encryption: the published vectors, and everything that a stream can be made to do."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterable, Iterator
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.errors import InputError
from retention.keys import chunked
from retention.keys.chunked import CHUNK_LENGTH, COBBLESTONE_256, PREFIX_LENGTH, SM4_SM3, TAG_LENGTH
from retention.keys.errors import NotAuthentic
from tests.unit.retention.keys.reference import ChunkedCase, message_of, sm4_gcm

KEY, SALT, CONTEXT = bytes(range(32)), bytes(range(24)), b"here"
SEALED_CHUNK = CHUNK_LENGTH + TAG_LENGTH


def encrypted(message: bytes, *, key: bytes = KEY, salt: bytes = SALT, context: bytes = CONTEXT) -> bytes:
    return b"".join(chunked.encrypt(COBBLESTONE_256, key, context, [message], salt=salt))


def decrypted(ciphertext: bytes, *, key: bytes = KEY, context: bytes = CONTEXT) -> bytes:
    return b"".join(chunked.decrypt(COBBLESTONE_256, key, context, [ciphertext]))


def released_before_refusal(pieces: Iterable[bytes], *, key: bytes = KEY, context: bytes = CONTEXT) -> bytes:
    """What comes out before NotAuthentic; fails where none comes."""
    released = bytearray()
    with pytest.raises(NotAuthentic):
        collect(released, chunked.decrypt(COBBLESTONE_256, key, context, pieces))
    return bytes(released)


def collect(into: bytearray, chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        into += chunk


def cut(data: bytes, lengths: Iterable[int]) -> Iterator[bytes]:
    start = 0
    for length in lengths:
        yield data[start : start + length]
        start += length
    yield data[start:]


# ------------------------------------------------------------------------------------------------------- the vectors


def test_encrypts_as_the_vectors_say_and_decrypts_it_again(chunked_case: ChunkedCase) -> None:
    message = message_of(chunked_case["name"], chunked_case["message_length"])
    assert hashlib.sha256(message).hexdigest() == chunked_case["message_sha256"]
    ciphertext = b"".join(
        chunked.encrypt(
            COBBLESTONE_256,
            bytes.fromhex(chunked_case["input_key"]),
            bytes.fromhex(chunked_case["context"]),
            [message],
            salt=bytes.fromhex(chunked_case["salt"]),
        )
    )
    assert ciphertext[24:56].hex() == chunked_case["commitment"]
    assert len(ciphertext) == chunked_case["ciphertext_length"] == chunked.ciphertext_length(len(message))
    assert hashlib.sha256(ciphertext).hexdigest() == chunked_case["ciphertext_sha256"]
    if chunked_case["ciphertext"] is not None:
        assert ciphertext.hex() == chunked_case["ciphertext"]
    key, context = bytes.fromhex(chunked_case["input_key"]), bytes.fromhex(chunked_case["context"])
    assert decrypted(ciphertext, key=key, context=context) == message


def test_sm4_gcm_is_that_of_rfc_8998() -> None:
    """Source: RFC 8998, appendix A.1."""
    key, nonce = bytes.fromhex("0123456789abcdeffedcba9876543210"), bytes.fromhex("00001234567800000000abcd")
    associated = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    plaintext = b"".join(bytes([byte]) * 8 for byte in (0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0xEE, 0xAA))
    sealed = bytes.fromhex(
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
        "83de3541e4c2b58177e065a9bf7b62ec"
    )
    assert chunked.Sm4Gcm(key).encrypt(nonce, plaintext, associated) == sealed
    assert chunked.Sm4Gcm(key).decrypt(nonce, sealed, associated) == plaintext
    assert sm4_gcm(key, nonce, plaintext, associated) == sealed  # so the tests' own GCM may judge, too


# -------------------------------------------------------------------------------------------------- streams of any cut


@given(
    length=st.one_of(
        st.integers(0, 200),
        st.builds(lambda n, off: max(0, n * CHUNK_LENGTH + off), st.integers(0, 3), st.integers(-2, 2)),
    ),
    in_pieces=st.lists(st.integers(0, 20_000), max_size=12),
    out_pieces=st.lists(st.integers(0, 20_000), max_size=12),
    sm4=st.booleans(),
)
def test_how_a_stream_is_cut_into_pieces_changes_nothing(
    length: int, in_pieces: list[int], out_pieces: list[int], sm4: bool
) -> None:
    suite = SM4_SM3 if sm4 else COBBLESTONE_256
    key, message = KEY[: suite.key_length], message_of("pieces", length)
    ciphertext = b"".join(chunked.encrypt(suite, key, CONTEXT, cut(message, in_pieces), salt=SALT))
    assert ciphertext == b"".join(chunked.encrypt(suite, key, CONTEXT, [message], salt=SALT))
    assert b"".join(chunked.decrypt(suite, key, CONTEXT, cut(ciphertext, out_pieces))) == message


def test_a_stream_of_64_mib_takes_constant_memory() -> None:
    piece, count = bytes(64 * 1024), 1024

    def message() -> Iterator[bytes]:
        for _ in range(count):
            yield piece

    tracemalloc.start()
    try:
        sealed = chunked.encrypt(COBBLESTONE_256, KEY, CONTEXT, message(), salt=SALT)
        length = sum(len(chunk) for chunk in chunked.decrypt(COBBLESTONE_256, KEY, CONTEXT, sealed))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert length == 64 * 1024 * 1024
    assert peak < 512 * 1024


def test_a_stream_is_read_no_further_than_it_is_asked_for() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(CHUNK_LENGTH)

    sealed = chunked.encrypt(COBBLESTONE_256, KEY, CONTEXT, endless(), salt=SALT)
    assert sum(map(len, islice(sealed, 4))) == PREFIX_LENGTH + 3 * SEALED_CHUNK


# ------------------------------------------------------------------------------------------------------------ tampering


def test_every_changed_byte_of_a_short_message_is_found_and_nothing_released() -> None:
    ciphertext = encrypted(b"x" * 100)
    for position in range(len(ciphertext)):
        changed = bytearray(ciphertext)
        changed[position] ^= 1
        assert released_before_refusal([bytes(changed)]) == b"", position


def test_every_shortening_of_a_short_message_is_found_and_nothing_released() -> None:
    ciphertext = encrypted(b"x" * 100)
    for length in range(len(ciphertext)):
        assert released_before_refusal([ciphertext[:length]]) == b"", length


def chunks_of(ciphertext: bytes) -> tuple[bytes, list[bytes]]:
    body = ciphertext[PREFIX_LENGTH:]
    return ciphertext[:PREFIX_LENGTH], [body[at : at + SEALED_CHUNK] for at in range(0, len(body), SEALED_CHUNK)]


MESSAGE = message_of("three chunks and a bit", 3 * CHUNK_LENGTH + 5)
OTHER = message_of("another message", 3 * CHUNK_LENGTH + 5)
PREFIX, CHUNKS = chunks_of(encrypted(MESSAGE))
_, OTHER_CHUNKS = chunks_of(encrypted(OTHER, salt=bytes(24)))


@pytest.mark.parametrize(
    ("chunks", "authentic_chunks"),
    [
        pytest.param(CHUNKS[:3], 3, id="the last chunk is cut off"),
        pytest.param(CHUNKS[:1], 1, id="all but the first chunk are cut off"),
        pytest.param([], 0, id="every chunk is cut off"),
        pytest.param([*CHUNKS[:3], CHUNKS[3][:-1]], 3, id="the last byte is cut off"),
        pytest.param([*CHUNKS[:3], CHUNKS[3][:15]], 3, id="less than a tag is left of the last chunk"),
        pytest.param([*CHUNKS[:2], CHUNKS[2][:-1]], 2, id="a full chunk lost its last byte and what follows"),
        pytest.param([CHUNKS[1], CHUNKS[0], *CHUNKS[2:]], 0, id="two chunks are swapped"),
        pytest.param([CHUNKS[0], *CHUNKS[2:]], 1, id="a chunk in the middle is missing"),
        pytest.param([CHUNKS[0], CHUNKS[0], *CHUNKS[1:]], 1, id="a chunk comes twice"),
        pytest.param([CHUNKS[0], CHUNKS[3]], 1, id="the last chunk comes early"),
        pytest.param([*CHUNKS, b"\0"], 3, id="a byte is added at the end"),
        pytest.param([*CHUNKS, CHUNKS[3]], 3, id="the last chunk comes twice"),
        pytest.param([*CHUNKS, *CHUNKS], 3, id="the whole message comes twice"),
        pytest.param([*CHUNKS[:2], OTHER_CHUNKS[2], CHUNKS[3]], 2, id="a chunk comes from another message"),
        pytest.param(OTHER_CHUNKS, 0, id="all chunks come from another message"),
    ],
)
def test_of_a_stream_that_was_changed_only_its_authentic_beginning_is_released(
    chunks: list[bytes], authentic_chunks: int
) -> None:
    released = released_before_refusal([PREFIX, *chunks])
    assert released == MESSAGE[: authentic_chunks * CHUNK_LENGTH]


def test_a_full_last_chunk_without_its_empty_successor_is_a_truncation() -> None:
    ciphertext = encrypted(bytes(CHUNK_LENGTH))
    assert released_before_refusal([ciphertext[:-TAG_LENGTH]]) == bytes(CHUNK_LENGTH)


@pytest.mark.parametrize(
    ("key", "context"),
    [
        pytest.param(bytes(32), CONTEXT, id="another key"),
        pytest.param(KEY, b"there", id="another context"),
        pytest.param(KEY, b"", id="no context"),
    ],
)
def test_another_key_or_context_is_refused_before_anything_is_released(key: bytes, context: bytes) -> None:
    ciphertext = encrypted(MESSAGE)
    assert released_before_refusal([ciphertext], key=key, context=context) == b""
    assert not chunked.commits_to(COBBLESTONE_256, key, context, ciphertext[:PREFIX_LENGTH])
    assert chunked.commits_to(COBBLESTONE_256, KEY, CONTEXT, ciphertext[:PREFIX_LENGTH])


def test_a_wrong_commitment_is_found_before_a_single_chunk_is_read() -> None:
    def pieces() -> Iterator[bytes]:
        yield PREFIX[:-1] + bytes([PREFIX[-1] ^ 1])
        pytest.fail("a chunk was asked for")

    assert released_before_refusal(pieces()) == b""


@pytest.mark.parametrize(("key", "salt"), [(KEY[:16], SALT), (KEY, SALT[:23])], ids=["a short key", "a short salt"])
def test_keys_and_salts_of_another_length_are_refused(key: bytes, salt: bytes) -> None:
    with pytest.raises(ValueError, match="takes a key of 32 bytes and a salt of 24"):
        chunked.encrypt(COBBLESTONE_256, key, CONTEXT, [b""], salt=salt)


def test_chunks_are_numbered_up_to_two_to_the_38th() -> None:
    assert chunked.nonce(bytes(12), 2**38 - 1).hex() == "000000000000003fffffffff"
    with pytest.raises(InputError, match="2\\^38 chunks"):
        chunked.nonce(bytes(12), 2**38)
