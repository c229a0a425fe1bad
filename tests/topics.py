"""Small texts about food, sport and music, with labels, numbers and in pairs; the packaged model tells them apart."""

from __future__ import annotations

import random

MINI = {"model": "all-MiniLM-L6-v2", "how": "probe"}
PROBE = ("--model", "all-MiniLM-L6-v2", "--how", "probe")
FOOD, SPORT, MUSIC = (
    [
        "a bowl of soup",
        "fresh bread with butter",
        "an apple pie",
        "rice with beans",
        "a slice of cheese",
        "grilled fish",
    ],
    [
        "a football match",
        "running a marathon",
        "the tennis final",
        "swimming in the pool",
        "a goal in overtime",
        "chess",
    ],
    [
        "a violin concert",
        "the new jazz album",
        "singing in a choir",
        "a drum solo",
        "an opera in Milan",
        "old folk songs",
    ],
)
TOPICS = {"food": FOOD, "sport": SPORT, "music": MUSIC}


def mixed(n: int = 120, seed: int = 0) -> list[tuple[str, list[str]]]:
    """Texts about none to three topics, and which."""
    rng, rows = random.Random(seed), []
    for number in range(n):
        topics = [name for name in TOPICS if rng.random() < 0.45]
        said = [rng.choice(TOPICS[name]) for name in topics] or ["nothing in particular"]
        rows.append((f"Note {number}: {' and '.join(said)}.", topics))
    return rows


def numbers(n: int = 150, seed: int = 0) -> list[tuple[str, float]]:
    """How good a dish is said to be, with a number for that."""
    rng = random.Random(seed)
    words = {"awful": 0.5, "bad": 1.6, "passable": 2.4, "good": 3.4, "very good": 4.1, "wonderful": 4.8}
    dishes = [dish for group in (FOOD, ["the stew", "their salad", "this cake", "my curry"]) for dish in group]
    rows = []
    for _ in range(n):
        word = rng.choice(list(words))
        text = f"{rng.choice(dishes)} in {rng.choice(['Rome', 'Oslo', 'Lima', 'Kyoto', 'Lagos'])} was {word}"
        rows.append((text, round(words[word] + rng.gauss(0, 0.2), 2)))
    return rows


def same_or_not(n: int = 120, seed: int = 0) -> list[tuple[str, str, str]]:
    """Pairs of phrases of one topic, or of two."""
    rng, rows = random.Random(seed), []
    for number in range(n):
        names = list(TOPICS)
        first = rng.choice(names)
        second = first if number % 2 else rng.choice([name for name in names if name != first])
        one, other = f"{rng.choice(TOPICS[first])} no {number}", f"{rng.choice(TOPICS[second])} at {number} o'clock"
        rows.append((one, other, "same" if first == second else "other"))
    return rows
