//! Ctrl-Alt-Play: a game-server panel, its database and its node agent in one binary.
