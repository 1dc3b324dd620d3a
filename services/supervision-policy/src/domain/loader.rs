//! Reads the documents of a bundle one by one, and names every fault.

use std::time::Duration;

use greenstar_kernel::Code;
use greenstar_tables::{
    BadTree, Column, HitPolicy, MeasureDecl, MeasureUse, Pairs, Schema, Table, TableErrors, TableSource, Tree,
};

use super::catalogue::{Catalogue, MeasureClass};
use super::columns::FactColumn;
use super::document::{BASELINE, OutcomeSource, PolicySource};
use super::facts::{is_district, is_sector};
use super::matter::{Level, MAX_STALENESS, Matter, Outcome, argument_columns};
use super::policy::{Document, PolicyDefect, PolicyError, PolicyErrors, PolicyInfo, read};

/// What was read and found so far.
pub(super) struct Loader<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) errors: Vec<PolicyError>,
    pub(super) matters: Vec<Matter>,
    pub(super) infos: Vec<PolicyInfo>,
}

impl Loader<'_> {
    pub(super) fn report(&mut self, policy: &str, defect: PolicyDefect) {
        self.errors.push(PolicyError {
            policy: policy.to_owned(),
            defect,
        });
    }

    pub(super) fn document(
        &mut self,
        document: &Document,
        number: Option<u32>,
        baseline: &mut Option<(Table, String)>,
    ) {
        let mut source = match read(document) {
            Ok(source) => source,
            Err(PolicyErrors(errors)) => return self.errors.extend(errors),
        };
        if let Some(number) = number {
            source.version = number;
        }
        let name = source.policy.as_str();
        if self.infos.iter().any(|info| info.name == source.policy) {
            self.report(name, PolicyDefect::PolicyTwice(source.policy.clone()));
        }
        self.trees(&source);
        if source.department.as_str() == BASELINE {
            self.baseline(&source, baseline);
        } else {
            self.department(&source);
        }
        let of_this = self.matters.iter().filter(|matter| matter.policy == tag(&source));
        self.infos.push(PolicyInfo {
            matters: of_this.map(Matter::name).collect(),
            name: source.policy,
            version: source.version,
            department: source.department,
            rows: source.table.as_ref().map_or(0, |table| table.rows.len()),
            source: document.clone(),
        });
    }

    fn baseline(&mut self, source: &PolicySource, baseline: &mut Option<(Table, String)>) {
        let name = source.policy.as_str();
        let bare = source.outcomes.is_empty() && source.matters.is_empty() && source.arguments.is_empty();
        let table = source
            .table
            .as_ref()
            .filter(|_| bare && source.triggers.is_none());
        let Some(table) = table else {
            return self.report(name, PolicyDefect::BaselineShape);
        };
        if baseline.is_some() {
            self.report(name, PolicyDefect::SecondBaseline);
        }
        let levels = Level::ALL.iter().map(|level| level.as_str().to_owned()).collect();
        let schema = self.schema(levels, source);
        if let Some(table) = self.table(name, table, &schema) {
            *baseline = Some((table, tag(source)));
        }
    }

    fn department(&mut self, source: &PolicySource) {
        let name = source.policy.as_str();
        let Some((outcomes, neutral, neutral_outcome)) = self.outcomes(source) else {
            return;
        };
        for (index, argument) in source.arguments.iter().enumerate() {
            let fact = FactColumn::ALL
                .iter()
                .any(|column| column.name() == argument.name.as_str());
            if fact
                || source
                    .arguments
                    .iter()
                    .take(index)
                    .any(|other| other.name == argument.name)
            {
                self.report(name, PolicyDefect::ArgumentTwice(argument.name.clone()));
            }
        }
        self.masked(source);
        let codes = outcomes
            .iter()
            .map(|outcome| outcome.code.as_str().to_owned())
            .collect();
        let schema = self.schema(codes, source);
        let table = source
            .table
            .as_ref()
            .and_then(|table| self.table(name, table, &schema));
        let triggers = source
            .triggers
            .as_ref()
            .and_then(|triggers| self.triggers(source, triggers));
        let trigger_codes: Vec<String> = source
            .triggers
            .iter()
            .flat_map(|source| &source.rows)
            .map(|row| row.outcome.clone())
            .collect();
        if source.advice_only {
            self.only_advises(name, &outcomes, table.as_ref());
        }
        if source.matters.is_empty() {
            self.report(name, PolicyDefect::NoMatter);
        }
        let max_staleness = Duration::from_millis(u64::from(source.max_staleness_ms));
        if max_staleness > MAX_STALENESS {
            self.report(name, PolicyDefect::TooPatient(source.max_staleness_ms));
        }
        for matter in &source.matters {
            let same = |other: &Matter| other.code == matter.code && other.department == source.department;
            if self.matters.iter().any(same) {
                self.report(name, PolicyDefect::MatterTwice(matter.code.clone()));
            }
            self.matters.push(Matter {
                department: source.department.clone(),
                code: matter.code.clone(),
                title: matter.title.clone(),
                outcomes: outcomes.clone(),
                neutral,
                neutral_outcome: neutral_outcome.clone(),
                arguments: source.arguments.clone(),
                on_stale: source.on_stale,
                max_staleness,
                record: source.record,
                retention_days: source.retention_days,
                table: table.clone(),
                triggers: triggers.clone(),
                trigger_codes: trigger_codes.clone(),
                policy: tag(source),
            });
        }
    }

    /// Names the masked arguments that a row tests.
    fn masked(&mut self, source: &PolicySource) {
        let tables = source.table.iter().chain(&source.triggers);
        let tested: Vec<&str> = tables
            .flat_map(|table| table.rows.iter().chain(&table.default))
            .flat_map(|row| row.when.0.iter().map(|(column, _)| column.as_str()))
            .collect();
        for argument in source.arguments.iter().filter(|argument| argument.masked) {
            if tested.contains(&argument.name.as_str()) {
                self.report(
                    source.policy.as_str(),
                    PolicyDefect::MaskedTested(argument.name.clone()),
                );
            }
        }
    }

    /// The outcomes, and the neutral one with its position; `None` if none can be taken for it.
    fn outcomes(&mut self, source: &PolicySource) -> Option<(Vec<Outcome>, usize, Outcome)> {
        let name = source.policy.as_str();
        let mut outcomes: Vec<Outcome> = Vec::new();
        for outcome in &source.outcomes {
            if outcomes.iter().any(|other| other.code == outcome.code) {
                self.report(name, PolicyDefect::OutcomeTwice(outcome.code.clone()));
            }
            if outcomes.last().is_some_and(|before| before.level > outcome.level) {
                self.report(name, PolicyDefect::NotAscending(outcome.code.clone()));
            }
            let carrier = self.carrier(name, outcome);
            let floor = self.floor(name, outcome);
            let OutcomeSource {
                code, title, level, ..
            } = outcome.clone();
            outcomes.push(Outcome {
                code,
                title,
                level,
                carrier,
                floor,
            });
        }
        let neutral = |outcome: &Outcome| outcome.level == Level::Neutral;
        let count = outcomes.iter().filter(|outcome| neutral(outcome)).count();
        if count != 1 {
            self.report(name, PolicyDefect::NeutralCount(count));
        }
        let position = outcomes.iter().position(neutral)?;
        let neutral = outcomes.get(position)?.clone();
        Some((outcomes, position, neutral))
    }

    fn carrier(&mut self, name: &str, outcome: &OutcomeSource) -> Option<usize> {
        match (&outcome.carried_by, outcome.level > Level::Neutral) {
            (Some(measure), true) => self.measure(name, outcome, measure),
            (None, true) => {
                self.report(name, PolicyDefect::CarrierMissing(outcome.code.clone()));
                None
            }
            (Some(_), false) => {
                self.report(name, PolicyDefect::CarrierNotNeeded(outcome.code.clone()));
                None
            }
            (None, false) => None,
        }
    }

    fn measure(&mut self, name: &str, outcome: &OutcomeSource, measure: &Code) -> Option<usize> {
        let position = self.catalogue.measure_position(measure);
        if position.is_none() {
            let (outcome, measure) = (outcome.code.clone(), measure.clone());
            self.report(name, PolicyDefect::MeasureUnknown { outcome, measure });
        }
        position
    }

    fn floor(&mut self, name: &str, outcome: &OutcomeSource) -> Vec<MeasureUse> {
        let Pairs(pairs) = &outcome.floor;
        let mut floor = Vec::new();
        for (raw, value) in pairs {
            let code = match Code::parse(raw) {
                Ok(code) => code,
                Err(error) => {
                    self.report(name, PolicyDefect::Unreadable(error.to_string()));
                    continue;
                }
            };
            let Some(measure) = self.measure(name, outcome, &code) else {
                continue;
            };
            let parameter = self
                .catalogue
                .measures()
                .get(measure)
                .and_then(|entry| entry.parameter());
            let fits = match (parameter, value) {
                (Some(parameter), Some(value)) => (parameter.min..=parameter.max).contains(value),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            if fits {
                floor.push(MeasureUse {
                    measure,
                    value: *value,
                });
            } else {
                let outcome = outcome.code.clone();
                self.report(
                    name,
                    PolicyDefect::FloorParameter {
                        outcome,
                        measure: code,
                    },
                );
            }
        }
        floor
    }

    fn schema(&self, outcomes: Vec<String>, source: &PolicySource) -> Schema {
        let facts = FactColumn::ALL
            .iter()
            .map(|column| column.declare(self.catalogue));
        let columns: Vec<Column> = facts.chain(argument_columns(&source.arguments)).collect();
        let measures = self.catalogue.measures().iter().map(|entry| MeasureDecl {
            code: entry.code.as_str().to_owned(),
            parameter: entry.parameter().map(|parameter| (parameter.min, parameter.max)),
        });
        let mut schema = Schema::new(columns, outcomes, measures.collect());
        // No facts can be so; the analysis then finds no gaps there.
        let impossible = [
            [("flags", "empty"), ("reaches_all", "true")],
            [("star", "none"), ("state", "\"RATED\"")],
            [("star", "not(none)"), ("state", "not(\"RATED\")")],
            [("flags", "empty"), ("worst_severity", "not(none)")],
            [("flags", "not(empty)"), ("worst_severity", "none")],
            [("flags", "empty"), ("flag_severities", "not(empty)")],
            [("flags", "not(empty)"), ("flag_severities", "empty")],
            [("flags", "empty"), ("flag_departments", "not(empty)")],
            [("flags", "not(empty)"), ("flag_departments", "empty")],
            [("flags", "empty"), ("flag_age_months", "not(none)")],
            [("flags", "not(empty)"), ("flag_age_months", "none")],
            [
                ("worst_severity", "not(\"SERIOUS\")"),
                ("flag_severities", "contains(\"SERIOUS\")"),
            ],
            [
                ("worst_severity", "\"SERIOUS\""),
                ("flag_severities", "not(contains(\"SERIOUS\"))"),
            ],
            [
                ("worst_severity", "\"MINOR\""),
                ("flag_severities", "contains(\"ORDINARY\")"),
            ],
            [
                ("worst_severity", "\"ORDINARY\""),
                ("flag_severities", "not(contains(\"ORDINARY\"))"),
            ],
            [
                ("worst_severity", "\"MINOR\""),
                ("flag_severities", "not(contains(\"MINOR\"))"),
            ],
        ];
        for cells in impossible {
            // They name columns of this file, so that they can be read.
            let read = schema.exclude(&cells);
            debug_assert_eq!(read, Ok(()));
        }
        for (column, tree) in trees(source) {
            // What is wrong with one is said once, by `trees`.
            if let Ok(tree) = tree {
                schema.grow(column.name(), tree);
            }
        }
        schema
    }

    fn trees(&mut self, source: &PolicySource) {
        for (column, tree) in trees(source) {
            if let Err(bad) = tree {
                let tree = column.name();
                self.report(source.policy.as_str(), PolicyDefect::Tree { tree, bad });
            }
        }
    }

    fn table(&mut self, name: &str, source: &TableSource, schema: &Schema) -> Option<Table> {
        let built = Table::build(name, source, schema);
        let sound = built.and_then(|table| table.analyse(schema).map(|()| table));
        sound.map_err(|errors| self.report_table(name, errors)).ok()
    }

    /// The triggers' codes are the outcomes of their own rows.
    fn triggers(&mut self, source: &PolicySource, triggers: &TableSource) -> Option<Table> {
        let codes = triggers.rows.iter().map(|row| row.outcome.clone()).collect();
        let schema = self.schema(codes, source);
        let triggers = TableSource {
            hit: HitPolicy::Collect,
            ..triggers.clone()
        };
        self.table(&format!("{}/triggers", source.policy), &triggers, &schema)
    }

    fn report_table(&mut self, name: &str, errors: TableErrors) {
        for error in errors.0 {
            self.report(name, PolicyDefect::Table(error));
        }
    }

    fn only_advises(&mut self, name: &str, outcomes: &[Outcome], table: Option<&Table>) {
        let rows = table
            .into_iter()
            .flat_map(|table| table.rows().iter().chain(table.default_row()));
        let of_rows = rows.flat_map(|row| row.measures.iter().map(|used| used.measure));
        let of_outcomes = outcomes.iter().flat_map(|outcome| {
            outcome
                .carrier
                .into_iter()
                .chain(outcome.floor.iter().map(|used| used.measure))
        });
        let mut wrong: Vec<Code> = Vec::new();
        for entry in of_rows
            .chain(of_outcomes)
            .filter_map(|measure| self.catalogue.measures().get(measure))
        {
            let advises = match entry.class {
                MeasureClass::Favour | MeasureClass::Advice => entry.parameter().is_none(),
                MeasureClass::Rights | MeasureClass::Management => false,
            };
            if !advises && !wrong.contains(&entry.code) {
                wrong.push(entry.code.clone());
            }
        }
        for measure in wrong {
            self.report(name, PolicyDefect::NotAdvice(measure));
        }
    }
}

/// The links of a document for the columns that hold codes.
fn trees(source: &PolicySource) -> [(FactColumn, Result<Tree, BadTree>); 2] {
    let trees = &source.trees;
    [
        (FactColumn::Sector, Tree::new(&trees.sector, is_sector)),
        (FactColumn::District, Tree::new(&trees.district, is_district)),
    ]
}

fn tag(source: &PolicySource) -> String {
    format!("{}@{}", source.policy, source.version)
}
