"""A tiny reward model and an endpoint that judges, for the tests of verifiers that ask a model."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HEADS = ("helpfulness", "correctness", "coherence")
SPECIAL = ["<s>", "</s>", "<pad>", "<unk>"]
WORDS = [*SPECIAL, "answer", "good", "bad", "two", "three", "four", "five", "is", "plus", "what", "the"]


def reward_folder(path: Path, *, heads: tuple[str, ...] = HEADS) -> Path:
    """A randomly initialised classifier with named heads, and its tokenizer, in float32."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(5)
    core = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=64,
        pad_token_id=2,
        bos_token_id=0,
        eos_token_id=1,
        num_labels=len(heads),
        id2label=dict(enumerate(heads)),
        label2id={head: n for n, head in enumerate(heads)},
    )
    network = LlamaForSequenceClassification(config).eval()
    # Fresh weights give scores near 0, where two programs agree whatever they do.
    torch.nn.init.normal_(network.score.weight, std=1.0)
    network.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@dataclass
class Judging:
    """An endpoint that finds an answer right with a probability, and what it was asked."""

    sure: Callable[[str], float | None]
    """From the last message to the probability of `true`; null: it says nothing of use."""
    status: int = 200
    refuses: str | None = None
    """Text of which it says 400 to a message that holds it."""
    prompt_tokens: int = 7
    logprobs: bool = True
    grade: bool = False
    """Whether it grades: 5 in place of true, 0 in place of false."""
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def judging(sure: Callable[[str], float | None]) -> Iterator[Judging]:
    state = Judging(sure)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with state.lock:
                state.bodies.append(body)
            refused = state.refuses is not None and state.refuses in body["messages"][-1]["content"]
            status = 400 if refused else state.status
            answer = _answer(state, body) if status == 200 else {"error": {"message": "no"}}
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            # A batch that failed cancels its other questions and hears no answer to them.
            with suppress(OSError):
                self.end_headers()
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def _answer(state: Judging, body: dict[str, Any]) -> dict[str, Any]:
    share = state.sure(body["messages"][-1]["content"])
    pieces: list[tuple[str, dict[str, float]]] = [("I have", {}), (" thought.", {})]
    if share is not None:
        right, wrong, key = (" 5", " 0", "score") if state.grade else (" true", " false", "correct")
        said = right if share >= 0.5 else wrong
        pieces += [(f'\n{{"{key}":', {}), (said, {right: share, wrong: 1 - share}), ("}", {})]
    tokens = [
        {
            "token": text,
            "logprob": 0.0,
            "top_logprobs": [{"token": word, "logprob": math.log(p)} for word, p in top.items() if p > 0],
        }
        for text, top in pieces
    ]
    message = {"role": "assistant", "content": "".join(text for text, _ in pieces)}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    if state.logprobs and body.get("logprobs"):
        choice["logprobs"] = {"content": tokens}
    usage = {"prompt_tokens": state.prompt_tokens, "completion_tokens": len(pieces)}
    usage["total_tokens"] = sum(usage.values())
    head = {"id": "x", "object": "chat.completion", "created": 1, "model": body["model"]}
    return {**head, "choices": [choice], "usage": usage}
