//! The server as callers meet it: real sockets, real clients.

#![allow(clippy::unwrap_used, reason = "a test says where it fails")]

mod access;
mod errors;
mod fixture;
mod limits;
mod pages;
mod protocols;
mod refusals;
mod rest;
mod telemetry;
mod web;
