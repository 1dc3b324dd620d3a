//! Scenarios across the services; all of it is in `it/`.
