//! What a run prints: a table for people, and as the last line one JSON object for programs.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::stats::{Figures, Summary, median, ratio, tidy};

/// The ceiling's closed loop takes all that a quiet machine has, less what its kernel does on its own account.
const QUIET: f64 = 0.85;

/// Everything that was measured, as it is printed on the last line. Keys are the contract of this program.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) yardstick: &'static str,
    pub(crate) settings: Settings,
    /// Encoded sizes in bytes, without gRPC's frame.
    pub(crate) request_bytes: usize,
    pub(crate) reply_bytes: usize,
    pub(crate) ceiling: Summary,
    pub(crate) sampled: Summary,
    pub(crate) durable: Summary,
    /// Replies per second, ours / ceiling: 1 is as fast as a server that does nothing.
    pub(crate) ratio_sampled: f64,
    pub(crate) ratio_durable: f64,
    /// Processor time per reply, ours / ceiling: 1 is as cheap.
    pub(crate) cpu_ratio_sampled: f64,
    pub(crate) cpu_ratio_durable: f64,
    /// p99 latency, ours / ceiling.
    pub(crate) p99_sampled: f64,
    /// How far the p99 latency lies above the ceiling's, in p99s of a bare fdatasync on the same disk.
    pub(crate) p99_durable_excess: f64,
    /// p99 of a bare fdatasync of 8 KiB, µs.
    pub(crate) sync_p99_us: f64,
    /// Processor time of an item in batches of 1,000, µs.
    pub(crate) batch_cpu_us: f64,
    /// Items per core: in batches / one by one.
    pub(crate) times_batch: f64,
    /// Replies per second, sampled / stock server: the least of 8 connections and more …
    pub(crate) times_stock: f64,
    /// … and the least of fewer.
    pub(crate) times_stock_few: f64,
    pub(crate) stock: Vec<StockRow>,
    /// `mimalloc`: the stock server's own program was not built, so the faster ceiling took its place.
    pub(crate) stock_allocator: &'static str,
}

/// The stock server and the suite at a number of connections.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StockRow {
    pub(crate) connections: usize,
    pub(crate) stock_per_second: f64,
    pub(crate) suite_per_second: f64,
    /// Median of the ratios within each round.
    pub(crate) times: f64,
}

/// What was measured beside the three, by round.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    pub(crate) stock_allocator: &'static str,
    pub(crate) sweeps: Vec<Sweep>,
    pub(crate) batch_cpu_us: Vec<f64>,
    pub(crate) sync_p99_us: Vec<f64>,
}

/// Replies per second at a number of connections, by round.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    pub(crate) connections: usize,
    pub(crate) stock: Vec<f64>,
    pub(crate) suite: Vec<f64>,
}

/// From so many connections on the suite has to be faster than the stock server.
const MANY: usize = 8;

impl StockRow {
    fn of(sweep: &Sweep) -> StockRow {
        let times = sweep
            .suite
            .iter()
            .zip(&sweep.stock)
            .map(|(suite, stock)| suite / stock);
        StockRow {
            connections: sweep.connections,
            stock_per_second: tidy(median(sweep.stock.iter().copied())),
            suite_per_second: tidy(median(sweep.suite.iter().copied())),
            times: tidy(median(times)),
        }
    }
}

/// How it was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
    pub(crate) rate: u32,
    pub(crate) cores: usize,
    pub(crate) optimised: bool,
    /// True: the records were written to memory, so `durable` proves nothing about a disk.
    pub(crate) records_in_memory: bool,
}

impl Report {
    pub(crate) fn new(
        settings: Settings,
        [request_bytes, reply_bytes]: [usize; 2],
        [ceiling, sampled, durable]: [Summary; 3],
        beside: Beside,
    ) -> Report {
        let Beside {
            stock_allocator,
            sweeps,
            batch_cpu_us,
            sync_p99_us,
        } = beside;
        let stock: Vec<StockRow> = sweeps.iter().map(StockRow::of).collect();
        let least = |many: bool| {
            let rows = stock.iter().filter(|row| (row.connections >= MANY) == many);
            rows.map(|row| row.times).fold(f64::INFINITY, f64::min)
        };
        let excess = durable.rounds.iter().zip(&ceiling.rounds).zip(&sync_p99_us);
        let excess = excess.map(|((ours, bare), sync)| (ours.latency_us.p99 - bare.latency_us.p99) / sync);
        let items = sampled.rounds.iter().zip(&batch_cpu_us);
        let items = items.map(|(single, item)| single.cpu_us / item);
        let rate = |ours: &Summary| ratio(ours, &ceiling, |figures| figures.per_second);
        let cpu = |ours: &Summary| ratio(ours, &ceiling, |figures| figures.cpu_us);
        Report {
            yardstick: "check",
            settings,
            request_bytes,
            reply_bytes,
            ratio_sampled: rate(&sampled),
            ratio_durable: rate(&durable),
            cpu_ratio_sampled: cpu(&sampled),
            cpu_ratio_durable: cpu(&durable),
            p99_sampled: ratio(&sampled, &ceiling, |figures| figures.latency_us.p99),
            p99_durable_excess: tidy(median(excess)),
            times_batch: tidy(median(items)),
            times_stock: least(true),
            times_stock_few: least(false),
            sync_p99_us: tidy(median(sync_p99_us)),
            batch_cpu_us: tidy(median(batch_cpu_us)),
            stock,
            stock_allocator,
            ceiling,
            sampled,
            durable,
        }
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header([
            "CheckPermit",
            "req/s",
            "range",
            "x ceiling",
            "CPU us/req",
            "x ceiling",
            "p50 us",
            "p99 us",
            "p99.9 us",
        ]);
        let mut row = |name: &str, summary: &Summary, rate: f64, cpu: f64| {
            let Figures {
                per_second,
                cpu_us,
                load_cpu_us: _,
                machine_share: _,
                latency_us,
            } = &summary.median;
            let [least, greatest] = &summary.per_second_range;
            table.add_row([
                name.to_owned(),
                format!("{per_second:.0}"),
                format!("{least:.0}..{greatest:.0}"),
                format!("{rate:.3}"),
                format!("{cpu_us:.1}"),
                format!("{cpu:.2}"),
                format!("{:.0}", latency_us.p50),
                format!("{:.0}", latency_us.p99),
                format!("{:.0}", latency_us.p999),
            ]);
        };
        row("bare tonic (ceiling)", &self.ceiling, 1.0, 1.0);
        row(
            "suite, record sampled",
            &self.sampled,
            self.ratio_sampled,
            self.cpu_ratio_sampled,
        );
        row(
            "suite, record durable",
            &self.durable,
            self.ratio_durable,
            self.cpu_ratio_durable,
        );
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let Settings {
            rounds,
            seconds,
            connections,
            in_flight,
            rate,
            cores,
            optimised,
            records_in_memory,
        } = &self.settings;
        let mut text = format!(
            "{table}\nmedians of {rounds} interleaved rounds of {seconds} s; {connections} connections x {in_flight} \
             in flight, latencies at {rate} req/s; request {} B, reply {} B;\nload and servers are processes of their \
             own on the same {cores} cores, the load takes {:.1} us of them per request",
            self.request_bytes, self.reply_bytes, self.ceiling.median.load_cpu_us
        );
        text.push_str(&format!(
            "\np99: sampled {:.2} x the ceiling's, durable {:.2} fdatasync p99 ({:.0} us) above it; batches of 1,000: \
             {:.2} us CPU an item, {:.1} x the items per core of single checks",
            self.p99_sampled, self.p99_durable_excess, self.sync_p99_us, self.batch_cpu_us, self.times_batch
        ));
        let allocator = self.stock_allocator;
        text.push_str(&format!(
            "\nsuite (sampled) / stock tonic on two workers, {allocator} allocator:"
        ));
        for row in &self.stock {
            text.push_str(&format!(" {} connections {:.2};", row.connections, row.times));
        }
        if !optimised {
            text.push_str("\nNOT OPTIMISED: a debug build says nothing; run with --profile dist");
        }
        let share = self.ceiling.median.machine_share;
        if share < QUIET {
            text.push_str(&format!(
                "\nBUSY MACHINE: the ceiling and its load had {share:.2} of the processors; run on a quiet one"
            ));
        }
        if *records_in_memory {
            text.push_str("\nRECORDS IN MEMORY: `durable` was not written to a disk; choose another --data");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Latency;

    fn report() -> Report {
        let summary = |per_second: f64| {
            let latency_us = Latency {
                p50: 300.0,
                p99: 700.0,
                p999: 900.0,
            };
            Summary::of(vec![
                Figures {
                    per_second,
                    cpu_us: 1e6 / per_second,
                    load_cpu_us: 9.0,
                    machine_share: 1.0,
                    latency_us
                };
                3
            ])
        };
        let settings = Settings {
            rounds: 3,
            seconds: 4.0,
            connections: 8,
            in_flight: 32,
            rate: 5000,
            cores: 2,
            optimised: true,
            records_in_memory: false,
        };
        Report::new(
            settings,
            [60, 318],
            [summary(100_000.0), summary(90_000.0), summary(80_000.0)],
            Beside {
                stock_allocator: "system",
                sweeps: [(1, 95.0), (4, 91.0), (8, 130.0), (16, 121.0)]
                    .map(|(connections, suite)| Sweep {
                        connections,
                        stock: vec![100.0; 3],
                        suite: vec![suite; 3],
                    })
                    .into(),
                batch_cpu_us: vec![1.0; 3],
                sync_p99_us: vec![100.0; 3],
            },
        )
    }

    #[test]
    fn the_json_is_one_line_with_all_figures_and_the_ratios() {
        let line = serde_json::to_string(&report()).unwrap();
        assert!(!line.contains('\n'));

        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json["ratio_sampled"], 0.9);
        assert_eq!(json["ratio_durable"], 0.8);
        assert_eq!(json["cpu_ratio_durable"], 1.25);
        assert_eq!(json["durable"]["per_second"], 80_000.0);
        assert_eq!(json["ceiling"]["latency_us"]["p999"], 900.0);
        assert_eq!(json["sampled"]["rounds"].as_array().unwrap().len(), 3);
        assert_eq!(json["times_stock"], 1.21);
        assert_eq!(json["times_stock_few"], 0.91);
        // 11.1 us one by one.
        assert_eq!(json["times_batch"], 11.111);
        assert_eq!(json["p99_sampled"], 1.0);
        assert_eq!(json["p99_durable_excess"], 0.0);
        assert_eq!(json["stock"][2]["connections"], 8);
    }

    #[test]
    fn the_table_warns_of_runs_that_prove_nothing() {
        let mut report = report();
        assert!(!report.table().contains("NOT OPTIMISED"));
        report.settings.optimised = false;
        report.settings.records_in_memory = true;
        assert!(report.table().contains("NOT OPTIMISED"));
        assert!(report.table().contains("RECORDS IN MEMORY"));
        assert!(!report.table().contains("BUSY MACHINE"));
        report.ceiling.median.machine_share = 0.5;
        assert!(report.table().contains("BUSY MACHINE"));
    }
}
