//! The table and the JSON line.

use serde_json::{Map, Value, json};

struct Row {
    name: String,
    unit: &'static str,
    value: f64,
    target: Option<(f64, bool)>,
    baseline: Option<(f64, &'static str)>,
}

/// All values of a run, in order.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// A value that should be at most `target`.
    pub(crate) fn row(
        &mut self,
        name: impl Into<String>,
        unit: &'static str,
        value: f64,
        target: f64,
        baseline: Option<(f64, &'static str)>,
    ) {
        self.plain(name, unit, value, baseline);
        self.aim(target, false);
    }

    /// A value that should be at least `target`.
    pub(crate) fn at_least(
        &mut self,
        name: impl Into<String>,
        unit: &'static str,
        value: f64,
        target: f64,
        baseline: Option<(f64, &'static str)>,
    ) {
        self.plain(name, unit, value, baseline);
        self.aim(target, true);
    }

    fn aim(&mut self, target: f64, at_least: bool) {
        if let Some(row) = self.rows.last_mut() {
            row.target = Some((target, at_least));
        }
    }

    /// A value without a target.
    pub(crate) fn plain(
        &mut self,
        name: impl Into<String>,
        unit: &'static str,
        value: f64,
        baseline: Option<(f64, &'static str)>,
    ) {
        self.rows.push(Row { name: name.into(), unit, value, target: None, baseline });
    }

    /// Whether no value misses its target by more than a factor of five, which noise does not explain.
    pub(crate) fn sane(&self) -> bool {
        let mut sane = true;
        for row in &self.rows {
            let off = match row.target {
                Some((target, false)) => row.value > target * 5.0,
                Some((target, true)) => row.value < target / 5.0,
                None => false,
            };
            if off {
                eprintln!("{}: {:.2} {} is far from its target", row.name, row.value, row.unit);
                sane = false;
            }
        }
        sane
    }

    pub(crate) fn print(&self) {
        println!("{:<46} {:>12} {:<8} {:>10}  beside", "figure", "value", "unit", "target");
        for row in &self.rows {
            let target = match row.target {
                Some((target, false)) => format!("≤ {target}"),
                Some((target, true)) => format!("≥ {target}"),
                None => String::new(),
            };
            let beside = row.baseline.map_or_else(String::new, |(base, what)| {
                format!("{base:.2} {what} (ratio {:.2})", if base == 0.0 { 0.0 } else { row.value / base })
            });
            println!("{:<46} {:>12.2} {:<8} {:>10}  {beside}", row.name, row.value, row.unit, target);
        }
        let mut line = Map::new();
        for row in &self.rows {
            let mut entry = json!({ "value": row.value, "unit": row.unit });
            if let Some((base, what)) = row.baseline {
                entry["baseline"] = json!({ "what": what, "value": base });
                entry["ratio"] = if base == 0.0 { Value::Null } else { json!(row.value / base) };
            }
            line.insert(row.name.clone(), entry);
        }
        println!("{}", Value::Object(line));
    }
}
