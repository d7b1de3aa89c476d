from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from factory.embeddings.embedding_model import PRESETS, EmbeddingModel
from factory.embeddings.encode import Embedded, Embedder, model_folder
from factory.embeddings.vector_cache import EmbeddingCache, embed_cached
from factory.embeddings.vectors import Vectors
from factory.text.normalise import content_hash


def random_embedded(n, *, seed=0):
    rows = np.random.default_rng(seed).standard_normal((n, 24))
    return Embedded(Vectors.quantised(rows), np.arange(n) - 1, np.zeros(n, np.float32))


def test_importing_the_library_loads_no_heavy_package():
    code = (
        "import sys, pkgutil, importlib, factory.text, factory.embeddings, factory.stages\n"
        "rooms = (factory.text, factory.embeddings, factory.stages)\n"
        "names = [m.name for r in rooms for m in pkgutil.walk_packages(r.__path__, r.__name__ + '.')]\n"
        "[importlib.import_module(n) for n in names if '.kernels' not in n]\n"
        "heavy = {'torch', 'faiss', 'numba', 'sentence_transformers', 'ray'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_unknown_model_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match=r"no folder here.*Give a folder"):
        model_folder("no-such-model")


def test_quantised_vectors_keep_their_cosines():
    rows = np.random.default_rng(0).standard_normal((200, 384)).astype(np.float32)
    exact, coded = Vectors.exact(rows), Vectors.quantised(rows)
    one, other = exact.take(slice(None)), coded.take(slice(None))
    assert np.abs((one * other).sum(1) - 1).max() < 2e-4
    assert np.abs(one @ one.T - other @ other.T).max() < 5e-3
    assert np.linalg.norm(other, axis=1) == pytest.approx(1, abs=1e-5)


def test_the_cache_returns_what_was_stored(tmp_path):
    texts = pa.array([f"text {i}" for i in range(40)])
    hashes, embedded = content_hash(texts, form="nfc"), random_embedded(40)
    cache = EmbeddingCache(str(tmp_path), "m")
    assert cache.lookup(hashes)[1] is None
    cache.store(
        hashes.slice(0, 25),
        Embedded(embedded.vectors.select(slice(0, 25)), embedded.tail_start[:25], embedded.unread[:25]),
    )
    order = pa.array(np.random.default_rng(1).permutation(40))
    found, got = EmbeddingCache(str(tmp_path), "m").lookup(hashes.take(order))
    assert got is not None
    rows = order.to_numpy()[found]
    assert sorted(rows.tolist()) == list(range(25))
    assert (got.vectors.values == embedded.vectors.values[rows]).all()
    assert (got.vectors.scales == embedded.vectors.scales[rows]).all()
    assert (got.tail_start == embedded.tail_start[rows]).all()
    assert EmbeddingCache(str(tmp_path), "other").lookup(hashes)[1] is None, "models do not share vectors"


def test_writers_side_by_side_lose_nothing(tmp_path):
    texts = pa.array([f"text {i}" for i in range(64)])
    hashes, embedded = content_hash(texts), random_embedded(64)

    def write(part):
        EmbeddingCache(str(tmp_path), "m").store(
            hashes.take(pa.array(part)),
            Embedded(embedded.vectors.select(part), embedded.tail_start[part], embedded.unread[part]),
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, np.array_split(np.arange(64), 16)))
    found, got = EmbeddingCache(str(tmp_path), "m").lookup(hashes)
    assert found.all()
    assert got is not None
    assert (got.vectors.values == embedded.vectors.values).all()


@pytest.mark.embedder
def test_embeds_as_sentence_transformers_does_and_only_once(tmp_path):
    embedder = Embedder()
    texts = ["What is 2+2?", "", "word " * 400 + "end", "What is 2+2?", "A longer question about a train."]
    rows, tail, unread = embedder.encode_exact(pa.array(texts))
    plain = embedder._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    short = [0, 1, 3, 4]
    assert (rows * plain).sum(1)[short].min() > 0.9999
    assert (tail == -1).all(), "a long text is read in windows to its end"
    assert (unread == 0).all()
    cache = EmbeddingCache(str(tmp_path), embedder.model_id)
    first, read = embed_cached(pa.array([*texts, None]), embedder=embedder, cache=cache)
    again, read_again = embed_cached(pa.array([*texts, None]), embedder=embedder, cache=cache)
    assert (read, read_again) == (5, 0)
    assert (first.vectors.values == again.vectors.values).all()
    assert (first.vectors.values[0] == first.vectors.values[3]).all()


@pytest.mark.embedder
def test_no_bit_of_a_vector_depends_on_its_batch():
    texts = [
        "What is 2 + 2?",
        "A train leaves at noon and " * 9,
        "Find x.",
        "How many legs have nine spiders? " * 3,
    ]
    embedder = Embedder()
    together, _, _ = embedder.encode_exact(pa.array(texts))
    for place, text in enumerate(texts):
        alone, _, _ = embedder.encode_exact(pa.array([text]))
        assert alone[0].tobytes() == together[place].tobytes(), f"row {place} differs in a batch"


@pytest.mark.embedder
def test_a_long_text_is_read_to_its_end_and_beyond_32_windows_the_rest_is_named():
    embedder = Embedder()
    passage = "The old harbour was built from grey stone and painted by many sailors. " * 40
    texts = [passage + "Who built it?", passage + "Which animals live on the far island?", "word " * 9000]
    rows, tail, _ = embedder.encode_exact(pa.array(texts))
    assert (rows[0] * rows[1]).sum() < 0.999, "the ends differ, so the vectors do"
    assert (tail[:2] == -1).all()
    assert 0 < tail[2] < len(texts[2])


@pytest.mark.embedder
def test_what_the_vocabulary_lacks_is_measured():
    texts = [
        "What is 2 + 2?",
        "Combien coûte le café noir ?",
        "ఒక రైతు వద్ద ఇరవై గొర్రెలు ఉన్నాయి",
        "მას აქვს ხუთი ვაშლი",
    ]
    unread = Embedder().encode(pa.array(texts)).unread
    assert unread[:2].max() < 0.1
    assert unread[2:].min() > 0.5


def test_a_known_model_is_read_as_its_card_says_unless_told_otherwise():
    chosen = EmbeddingModel.of("intfloat/multilingual-e5-small")
    assert (chosen.prompt, chosen.max_tokens) == ("query: ", 512)
    own = EmbeddingModel.of(EmbeddingModel(name="Alibaba-NLP/gte-multilingual-base", max_tokens=1024))
    assert (own.max_tokens, own.trust_remote_code) == (1024, True)
    assert own.identity()["trust_remote_code"] is True
    assert all(EmbeddingModel.of(name).name == name for name in PRESETS)
    pinned = EmbeddingModel(name="BAAI/bge-m3", revision="abc")
    assert pinned.identity()["model"] == "hub:BAAI/bge-m3@abc"


@pytest.mark.embedder
def test_prompt_type_and_window_are_part_of_a_model():
    ids = {
        Embedder(**options).model_id
        for options in ({}, {"prompt": "query: "}, {"dtype": "bfloat16"}, {"max_tokens": 64})
    }
    assert len(ids) == 4
