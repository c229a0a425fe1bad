"""How good a dish was, as a number, from two lists in memory; then a number for a new one, with its interval."""

import random

import headstart as hs

RATINGS = {"awful": 0.5, "bad": 1.5, "passable": 2.5, "good": 3.5, "wonderful": 4.8}
DISHES = ["soup", "stew", "salad", "cake", "curry", "fish", "pie", "rice"]
draw = random.Random(0)
words = [draw.choice(list(RATINGS)) for _ in range(150)]
texts = [f"The {draw.choice(DISHES)} at table {number} was {word}" for number, word in enumerate(words)]
ratings = [RATINGS[word] + draw.gauss(0, 0.2) for word in words]

model = hs.fit(texts, ratings, how="probe")
scores = model.summary
print(f"off by {scores['mae']:.2f} on average; always giving the mean is off by {scores['baseline']['mae']:.2f}")
print(f"{scores['coverage']:.2f} of the true values lie in the intervals, which are to hold 0.90")
for prediction in model.predict(["The bread was awful", "The bread was wonderful"]):
    low, high = prediction.interval
    print(f"{prediction.input}: {prediction.value:.1f} ({low:.1f} to {high:.1f})")
