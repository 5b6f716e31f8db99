"""The coder's episode: model calls and tool calls on one file, until it is submitted."""
