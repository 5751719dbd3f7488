"""The nouns of the domain: events, messages, deliveries and what they are made of."""
