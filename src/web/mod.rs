//! Floor 5: the web pages and the API.
