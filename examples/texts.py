"""Questions by intent, from two lists in memory; then probabilities for a new one."""

import headstart as hs

QUESTIONS = {
    "card": [
        "Where is my new card?",
        "My card has not arrived yet.",
        "When will the card be delivered?",
        "Has my bank card been posted?",
        "Track the delivery of my card.",
        "My debit card never came.",
    ],
    "exchange": [
        "What is the exchange rate today?",
        "How do you set the exchange rate?",
        "Is the rate for euros good?",
        "Convert dollars to pounds.",
        "Which currency rate do I get?",
        "Do you use the interbank rate?",
    ],
    "pin": [
        "I forgot my PIN.",
        "How can I change my PIN?",
        "My passcode is blocked.",
        "The pin number does not work.",
        "Reset the passcode, please.",
        "I entered the wrong pin three times.",
    ],
}

texts = [text for some in QUESTIONS.values() for text in some]
labels = [label for label, some in QUESTIONS.items() for _ in some]
model = hs.fit(texts, labels, test=0.3)
low, high = model.summary["accuracy_interval"]
print(f"accuracy {model.summary['accuracy']:.2f}, and so few test examples say little: {low:.2f} to {high:.2f} (95 %)")
for prediction in model.predict(["my card is still not here", "unblock my pin"]):
    print(f"{prediction.input}: {prediction.label} ({prediction.probability:.2f})")
