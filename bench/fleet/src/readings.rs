//! The values of a reading: what bench/frames.py sends, and some more for whoever wants larger ones.

/// One value of a reading. `value` is none for the energy register, which rises.
pub struct Sample {
    pub measurand: &'static str,
    pub phase: Option<&'static str>,
    pub location: &'static str,
    pub unit: &'static str,
    pub value: Option<&'static str>,
}

const fn sample(
    measurand: &'static str,
    phase: Option<&'static str>,
    location: &'static str,
    unit: &'static str,
    value: Option<&'static str>,
) -> Sample {
    Sample { measurand, phase, location, unit, value }
}

pub const SAMPLES: [Sample; 12] = [
    sample("Energy.Active.Import.Register", None, "Outlet", "Wh", None),
    sample("Power.Active.Import", None, "Outlet", "W", Some("11040.0")),
    sample("Current.Import", None, "Outlet", "A", Some("16.00")),
    sample("Voltage", None, "Outlet", "V", Some("230.1")),
    sample("SoC", None, "EV", "Percent", Some("57")),
    sample("Current.Import", Some("L1"), "Outlet", "A", Some("16.00")),
    sample("Current.Import", Some("L2"), "Outlet", "A", Some("15.98")),
    sample("Current.Import", Some("L3"), "Outlet", "A", Some("16.01")),
    sample("Voltage", Some("L1-N"), "Outlet", "V", Some("230.1")),
    sample("Voltage", Some("L2-N"), "Outlet", "V", Some("229.8")),
    sample("Voltage", Some("L3-N"), "Outlet", "V", Some("230.4")),
    sample("Current.Offered", None, "Outlet", "A", Some("16.00")),
];

/// What a car takes while it charges, which makes the register rise.
pub const POWER_W: f64 = 11_040.0;
