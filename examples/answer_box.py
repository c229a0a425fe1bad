"""A page and a JSON endpoint that answer questions from a folder of texts, with a model that headstart saved.

python examples/answer_box.py MODEL_FOLDER TEXTS_FOLDER [--port 8000]      (pip install 'headstart[serve]')
"""

import argparse
import threading
from html import escape
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, HTTPException, Query
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import HTMLResponse

import headstart as hs
from headstart.inputs.text import read_text

LONGEST = 300  # characters of a question
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"  # no script, nothing from elsewhere
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Answer box</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root {{ color-scheme: light dark; --dim: #666; --line: #ccc; --mark: #ffe58a }}
@media (prefers-color-scheme: dark) {{ :root {{ --dim: #aaa; --line: #555; --mark: #6b5600 }} }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem }}
form {{ display: flex; gap: .5rem }} input, button {{ font: inherit; padding: .5rem .75rem }}
input {{ flex: 1; min-width: 0 }} mark {{ background: var(--mark); color: inherit }}
article {{ border-top: 1px solid var(--line); padding: .75rem 0; overflow-wrap: anywhere }}
h1, h2, p {{ margin: .25rem 0 }} h1 {{ font-size: 1.5rem; margin-bottom: 1rem }} h2 {{ font-size: 1.1rem }}
form + * {{ margin-top: 1.5rem }} small {{ color: var(--dim) }}
</style><h1>Ask {count} texts</h1><form>
<input name="question" value="{question}" maxlength="{longest}" aria-label="Question" required autofocus>
<button>Ask</button></form>{body}</html>"""


def answer_box(model: hs.Model, texts: dict[str, str]) -> FastAPI:
    """The app. `texts` are by the names that are shown."""
    names, lock, app = list(texts), threading.Lock(), FastAPI(docs_url=None, redoc_url=None)
    # A page elsewhere must not read these texts by giving its own name to this machine's address.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])

    def ask(question: str) -> list[dict[str, Any]]:
        with lock:  # an engine reads for one question at a time
            answers = model.answer(question, list(texts.values()), top=5)
        found = [a for a in answers if a.text or a is answers[0]]
        return [{**vars(a), "file": names[a.context] if a.text else None} for a in found]

    @app.get("/answer")
    def as_json(question: Annotated[str, Query(min_length=1, max_length=LONGEST)]) -> dict[str, Any]:
        try:
            return {"question": question, "answers": ask(question)}
        except hs.UserError as error:
            raise HTTPException(422, str(error)) from None

    @app.get("/")
    def page(question: Annotated[str, Query(max_length=LONGEST)] = "") -> HTMLResponse:
        body, status = "", 200
        if question:
            try:
                body = "".join(map(shown, ask(question)))
            except hs.UserError as error:
                body, status = f"<p>{escape(str(error))}</p>", 422
        filled = {"count": len(texts), "question": escape(question), "longest": LONGEST, "body": body}
        return HTMLResponse(PAGE.format(**filled), status, {"Content-Security-Policy": POLICY})

    return app


def shown(answer: dict[str, Any]) -> str:
    """An answer as a piece of the page: what it says, the sentence around it, the file."""
    sure = f"{answer['confidence']:.0%} sure"
    if answer["file"] is None:
        return f"<article><h2>No answer in these texts</h2><small>{sure}</small></article>"
    before, after = answer["offset"], answer["offset"] + len(answer["text"])
    text, sentence = escape(answer["text"]), answer["sentence"]
    marked = f"{escape(sentence[:before])}<mark>{text}</mark>{escape(sentence[after:])}"
    return f"<article><h2>{text}</h2><p>{marked}</p><small>{escape(answer['file'])}, {sure}</small></article>"


def main() -> None:
    parser = argparse.ArgumentParser(description="Answer questions from a folder of texts, on this machine only.")
    parser.add_argument("model", help="a folder that headstart fit saved, or a hub name")
    parser.add_argument("texts", type=Path, help="a folder of .txt files")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    try:
        texts = {str(file.relative_to(options.texts)): read_text(file) for file in sorted(options.texts.rglob("*.txt"))}
        if not any(map(str.strip, texts.values())):
            parser.error(f"no text in {options.texts}: it needs .txt files")
        model = hs.load(options.model, task="answering")
    except hs.UserError as error:
        parser.error(str(error))
    uvicorn.run(answer_box(model, texts), host="127.0.0.1", port=options.port)


if __name__ == "__main__":
    main()
