//! Floor 2: facts and a moment become scores: pure functions.
