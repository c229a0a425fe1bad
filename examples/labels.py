"""Notes with any number of labels, from two lists in memory; then the labels of a new one."""

import random

import headstart as hs

TOPICS = {
    "food": ["a bowl of soup", "fresh bread", "an apple pie", "rice with beans", "grilled fish"],
    "music": ["a violin concert", "a jazz album", "a drum solo", "an opera", "old folk songs"],
    "sport": ["a football match", "a marathon", "the tennis final", "a swimming lesson", "a chess game"],
}
draw = random.Random(0)
texts, labels = [], []
for number in range(120):
    topics = [topic for topic in TOPICS if draw.random() < 0.45]
    about = " and ".join(draw.choice(TOPICS[topic]) for topic in topics) or "nothing in particular"
    texts.append(f"Note {number}: {about}.")
    labels.append(topics)

model = hs.fit(texts, labels, how="probe")
scores = model.summary
print(f"macro F1 {scores['macro_f1']:.2f}, always giving the commonest labels {scores['baseline']['macro_f1']:.2f}")
print(f"all labels right in {scores['exact_match']:.2f} of the notes held out")
for prediction in model.predict(["tonight an opera, and then an apple pie", "nothing at all"]):
    given = [f"{name} ({probability:.2f})" for name, probability in prediction.labels]
    print(f"{prediction.input}: {', '.join(given) or 'no label'}")
