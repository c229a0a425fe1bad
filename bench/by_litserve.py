"""LitServe with four workers, timm and torch: the peer that `over_http.py` starts in a process of its own."""

import sys
from collections.abc import Callable

import litserve
from fastapi import Request
from over_http import by_timm

Answer = dict[str, list[float]]


class Photos(litserve.LitAPI):
    """A photo's bytes to probabilities."""

    def setup(self, device: str) -> None:
        self.answer: Callable[[bytes], Answer] = by_timm()

    def decode_request(self, request: Request) -> bytes:
        return request["files"].file.read()

    def predict(self, content: bytes) -> Answer:
        return self.answer(content)

    def encode_response(self, output: Answer) -> Answer:
        return output


if __name__ == "__main__":
    api = Photos(api_path="/v1/predict")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=4, healthcheck_path="/readyz")
    server.run(port=int(sys.argv[1]), generate_client_file=False, log_level="error")
