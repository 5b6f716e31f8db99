"""Language models as a proposer: prompts out, typed answers in, every call paid for and recorded."""
