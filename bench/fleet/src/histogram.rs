//! Latencies in HDR histograms, and the form in which they are written: mergeable by adding up their buckets.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Times in microseconds with three significant digits.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Option<Histogram<u64>>);

/// Longer than any wait of this program.
const LONGEST_US: u64 = 3_600_000_000;

impl Latencies {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn record(&mut self, micros: u64) {
        if self.0.is_none() {
            self.0 = empty();
        }
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(micros);
        }
    }

    pub fn add(&mut self, other: &Self) {
        let Some(added) = &other.0 else { return };
        match &mut self.0 {
            // both have the same bounds, so that nothing is out of range
            Some(histogram) => histogram.add(added).unwrap_or_default(),
            None => self.0 = Some(added.clone()),
        }
    }

    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// Quantile in milliseconds; none without a count.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(milliseconds(histogram.value_at_quantile(share)))
    }

    pub fn max_ms(&self) -> Option<f64> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(milliseconds(histogram.max()))
    }

    pub fn report(&self) -> Report {
        let Some(histogram) = self.0.as_ref().filter(|histogram| !histogram.is_empty()) else {
            return Report::default();
        };
        Report {
            count: histogram.len(),
            mean_us: Some((histogram.mean() * 10.0).round() / 10.0),
            p50_us: Some(histogram.value_at_quantile(0.5)),
            p90_us: Some(histogram.value_at_quantile(0.9)),
            p99_us: Some(histogram.value_at_quantile(0.99)),
            p999_us: Some(histogram.value_at_quantile(0.999)),
            max_us: Some(histogram.max()),
            buckets: histogram
                .iter_recorded()
                .map(|bucket| (bucket.value_iterated_to(), bucket.count_since_last_iteration()))
                .collect(),
        }
    }
}

fn empty() -> Option<Histogram<u64>> {
    Histogram::new_with_max(LONGEST_US, 3).ok()
}

fn milliseconds(micros: u64) -> f64 {
    // beyond 2^53 us nothing is recorded
    (micros as f64) / 1000.0
}

/// A histogram as JSON.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub count: u64,
    pub mean_us: Option<f64>,
    pub p50_us: Option<u64>,
    pub p90_us: Option<u64>,
    pub p99_us: Option<u64>,
    pub p999_us: Option<u64>,
    pub max_us: Option<u64>,
    /// The highest value of each bucket in microseconds, and how many were in it.
    pub buckets: Vec<(u64, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_all_that_was_recorded() {
        let mut one = Latencies::new();
        let mut two = Latencies::new();
        for value in [3, 3, 1000, 123_456] {
            one.record(value);
        }
        two.record(7_000_000);
        two.add(&one);
        let report = two.report();
        assert_eq!(report.count, 5);
        assert_eq!(report.buckets.iter().map(|bucket| bucket.1).sum::<u64>(), 5);
        assert_eq!(report.buckets.first(), Some(&(3, 2)));
        assert_eq!(report.p50_us, Some(1000));
        let longest = report.max_us.unwrap();
        assert!((7_000_000..7_010_000).contains(&longest), "{longest}");
    }

    #[test]
    fn nothing_recorded_has_no_times() {
        let report = Latencies::new().report();
        assert_eq!((report.count, report.p50_us, report.buckets.len()), (0, None, 0));
        assert_eq!(Latencies::new().quantile_ms(0.5), None);
    }

    #[test]
    fn what_is_longer_than_any_wait_is_kept_as_the_longest() {
        let mut latencies = Latencies::new();
        latencies.record(u64::MAX);
        assert_eq!(latencies.count(), 1);
    }
}
