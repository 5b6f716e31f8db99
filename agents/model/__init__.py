"""Language models as a proposer: prompts out, typed answers in, every call booked and recorded."""
