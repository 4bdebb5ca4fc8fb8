"""Public standards as pure codecs and state machines; no sockets, no domain words."""
