"""The LangGraph workflow: planner, coder, profiler, and the search that steers them."""
