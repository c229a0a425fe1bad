"""Do two phrases have the same topic? From a list of pairs in memory; then an answer for new ones."""

import random

import headstart as hs

TOPICS = {
    "food": ["a bowl of soup", "fresh bread", "an apple pie", "rice with beans", "grilled fish"],
    "music": ["a violin concert", "a jazz album", "a drum solo", "an opera", "old folk songs"],
    "sport": ["a football match", "a marathon", "the tennis final", "a swimming lesson", "a chess game"],
}
draw = random.Random(0)
pairs, labels = [], []
for number in range(240):
    one, other = draw.sample(list(TOPICS), 2)
    other = one if number % 2 else other
    pairs.append((f"{draw.choice(TOPICS[one])} on day {number}", f"{draw.choice(TOPICS[other])} at {number} o'clock"))
    labels.append("same" if one == other else "different")

model = hs.fit(pairs, labels, how="probe")
low, high = model.summary["accuracy_interval"]
print(f"accuracy {model.summary['accuracy']:.2f} ({low:.2f} to {high:.2f}, 95 %)")
for prediction in model.predict([("grilled fish", "a drum solo"), ("a marathon", "a chess game")]):
    print(f"{prediction.input}: {prediction.label} ({prediction.probability:.2f})")
