//! The contract, call by call.
