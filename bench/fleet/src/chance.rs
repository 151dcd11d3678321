//! Chance that depends on the plan's seed, the station and the number of the draw alone, never on the order of events.

use rand::rngs::SmallRng;
use rand::seq::index;
use rand::{RngExt, SeedableRng};

/// What the phase of a periodic message is drawn for.
#[derive(Clone, Copy, Debug)]
pub enum Phase {
    Heartbeat,
    Status,
    MeterValues(u16),
}

/// The chance of one station.
#[derive(Clone, Debug)]
pub struct Chance {
    seed: u64,
    draws: u32,
}

impl Chance {
    pub const fn new(seed: u64, station: u64) -> Self {
        // far apart for neighbours: SmallRng mixes its seed, but must not get the same one for two pairs
        Self { seed: seed.rotate_left(32) ^ station.wrapping_mul(0x9e37_79b9_7f4a_7c15), draws: 0 }
    }

    /// The next number from 0 up to 1.
    pub fn draw(&mut self) -> f64 {
        self.draws = self.draws.wrapping_add(1);
        at(self.seed ^ u64::from(self.draws))
    }

    /// How long a session or a pause lasts: a tenth of the mean, and for the rest an exponential distribution.
    pub fn period(&mut self, mean: f64) -> f64 {
        mean / 10.0 + self.exponential(mean * 0.9)
    }

    /// What is left of such a period at any moment of it. So as many end in the first minute of a run as in every later one.
    pub fn rest_of_period(&mut self, mean: f64) -> f64 {
        let in_the_first_tenth = self.draw() < 0.1;
        if in_the_first_tenth { mean / 10.0 * self.draw() } else { self.period(mean) }
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -(1.0 - self.draw()).ln() * mean
    }

    /// Where in its interval, from 0 up to 1, a periodic message of this station lies: the same every time.
    pub fn phase(&self, of: Phase) -> f64 {
        let number = match of {
            Phase::Heartbeat => 1,
            Phase::Status => 2,
            Phase::MeterValues(connector) => 3 + u64::from(connector),
        };
        at(self.seed ^ (number << 40))
    }
}

fn at(seed: u64) -> f64 {
    SmallRng::seed_from_u64(seed).random()
}

/// Exactly `amount` of `length` places, chosen by the seed.
pub fn chosen(seed: u64, length: usize, amount: usize) -> Vec<bool> {
    let mut places = vec![false; length];
    let mut random = SmallRng::seed_from_u64(seed);
    for place in index::sample(&mut random, length, amount.min(length)) {
        if let Some(place) = places.get_mut(place) {
            *place = true;
        }
    }
    places
}

/// A generator for choices that no station makes: which connections are cut, which station a request names.
pub fn generator(seed: u64) -> SmallRng {
    SmallRng::seed_from_u64(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_depend_on_seed_and_station_only() {
        let draws = |seed, station| {
            let mut chance = Chance::new(seed, station);
            [chance.draw(), chance.draw(), chance.phase(Phase::Heartbeat)]
        };
        assert_eq!(draws(1, 7), draws(1, 7));
        assert_ne!(draws(1, 7), draws(1, 8));
        assert_ne!(draws(1, 7), draws(2, 7));
    }

    #[test]
    fn periods_have_their_mean_and_their_floor() {
        let mut chance = Chance::new(1, 1);
        let drawn: Vec<f64> = (0..20_000).map(|_| chance.period(100.0)).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        assert!((98.0..102.0).contains(&mean), "{mean}");
        assert!(drawn.iter().all(|value| *value >= 10.0));
    }

    #[test]
    fn no_moment_ends_more_periods_than_another() {
        let mut chance = Chance::new(1, 1);
        // places that are always taken anew, watched from a moment in their midst
        let mut ends = [0_i32; 30];
        for _ in 0..20_000 {
            let mut at = chance.rest_of_period(100.0);
            while at < 300.0 {
                ends[(at / 10.0) as usize] += 1;
                at += chance.period(100.0);
            }
        }
        assert!(ends.iter().all(|ended| (ended - 2000).abs() < 200), "{ends:?}");
    }

    #[test]
    fn exactly_as_many_are_chosen() {
        for amount in [0, 1, 500, 1000] {
            assert_eq!(chosen(3, 1000, amount).iter().filter(|place| **place).count(), amount);
        }
        assert_eq!(chosen(3, 1000, 500), chosen(3, 1000, 500));
        assert_ne!(chosen(3, 1000, 500), chosen(4, 1000, 500));
    }
}
