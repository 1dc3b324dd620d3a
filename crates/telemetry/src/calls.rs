//! Calls by method and code: where every call is counted. The cells are found by index and are atomics; only an
//! error takes a lock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tonic::Code;

use crate::histogram::Histogram;
use crate::metrics::Samples;
use crate::{attributes, catalogue};

/// Canonical codes, from `OK` to `UNAUTHENTICATED`.
const CODES: usize = 17;

/// The calls of one process.
#[derive(Debug)]
pub struct Calls {
    rows: Vec<Row>,
    /// By row, code and reason.
    errors: Mutex<BTreeMap<(usize, i32, String), u64>>,
}

#[derive(Debug)]
struct Row {
    method: &'static str,
    /// By code; made when the first such call ends.
    ended: [OnceLock<Box<Histogram>>; CODES],
    streams: AtomicI64,
}

/// The canonical name of a code.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Whether the conventions for gRPC servers take a code for the server's own failure; the others are answers to
/// what a caller asked.
pub fn is_failure(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

impl Calls {
    /// One row a method, found by its place in `methods`.
    pub fn new(methods: impl IntoIterator<Item = &'static str>) -> Calls {
        let rows = methods.into_iter().map(|method| Row {
            method,
            ended: [const { OnceLock::new() }; CODES],
            streams: AtomicI64::new(0),
        });
        Calls {
            rows: rows.collect(),
            errors: Mutex::default(),
        }
    }

    /// A call ended. `reason` is of an error that has one.
    pub fn ended(&self, row: usize, code: Code, took: Duration, reason: Option<String>) {
        let Some(known) = self.rows.get(row) else { return };
        let cell = usize::try_from(i32::from(code))
            .ok()
            .and_then(|code| known.ended.get(code));
        if let Some(cell) = cell {
            cell.get_or_init(Box::default).record(took);
        }
        if code != Code::Ok {
            let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
            *errors
                .entry((row, code.into(), reason.unwrap_or_default()))
                .or_default() += 1;
        }
    }

    /// A stream was opened (`1`) or has ended (`-1`).
    pub fn streams(&self, row: usize, by: i64) {
        if let Some(row) = self.rows.get(row) {
            row.streams.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// Everything that was counted.
    pub fn tell(&self, samples: &mut Samples) {
        for row in &self.rows {
            let method = (attributes::RPC_METHOD, row.method);
            for (code, cell) in (0_i32..).zip(&row.ended) {
                let Some(histogram) = cell.get() else { continue };
                let code = Code::from_i32(code);
                let mut labels = vec![
                    (attributes::RPC_SYSTEM, "grpc"),
                    method,
                    (attributes::RPC_STATUS, code_name(code)),
                ];
                if is_failure(code) {
                    labels.push((attributes::ERROR_TYPE, code_name(code)));
                }
                samples.histogram(&catalogue::RPC_DURATION, &labels, histogram.snapshot());
            }
            let open = row.streams.load(Ordering::Relaxed);
            if open > 0 {
                samples.count(&catalogue::RPC_STREAMS, &[method], open.unsigned_abs());
            }
        }
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        for ((row, code, reason), count) in errors.iter() {
            let Some(row) = self.rows.get(*row) else { continue };
            let labels = [
                (attributes::RPC_METHOD, row.method),
                (attributes::RPC_STATUS, code_name(Code::from_i32(*code))),
                (attributes::REASON, reason.as_str()),
            ];
            samples.count(&catalogue::RPC_ERRORS, &labels, *count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_by_method_code_and_reason() {
        let calls = Calls::new(["x.Service/Get", "x.Service/Watch"]);
        let took = Duration::from_millis(3);
        calls.ended(0, Code::Ok, took, None);
        calls.ended(0, Code::Ok, took, None);
        calls.ended(0, Code::NotFound, took, Some("ROUND_UNKNOWN".to_owned()));
        calls.ended(0, Code::Internal, took, None);
        calls.streams(1, 1);
        let mut samples = Samples::default();
        calls.tell(&mut samples);
        let page = samples.to_prometheus();
        let count =
            "rpc_server_call_duration_seconds_count{rpc_system_name=\"grpc\",rpc_method=\"x.Service/Get\",";
        for line in [
            format!("{count}rpc_response_status_code=\"OK\"}} 2\n"),
            format!("{count}rpc_response_status_code=\"NOT_FOUND\"}} 1\n"),
            format!("{count}rpc_response_status_code=\"INTERNAL\",error_type=\"INTERNAL\"}} 1\n"),
            "greenstar_rpc_errors_total{rpc_method=\"x.Service/Get\",rpc_response_status_code=\"NOT_FOUND\",\
             greenstar_reason=\"ROUND_UNKNOWN\"} 1\n"
                .to_owned(),
            "greenstar_rpc_streams{rpc_method=\"x.Service/Watch\"} 1\n".to_owned(),
        ] {
            assert!(page.contains(&line), "{line}{page}");
        }
    }
}
