"""C++ candidates rebuilt with AddressSanitizer and UBSan, and what these find."""
