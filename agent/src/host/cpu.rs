//! The CPU: model, cores, load.

use super::sources::Sources;

/// Jiffies since boot over all cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    busy: u64,
    all: u64,
}

/// The architecture by its Go name, which images and engines use.
pub(super) fn arch() -> &'static str {
    go_arch(std::env::consts::ARCH, cfg!(target_endian = "little"))
}

fn go_arch(rust: &'static str, little_endian: bool) -> &'static str {
    match rust {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" if little_endian => "ppc64le",
        "powerpc64" => "ppc64",
        "loongarch64" => "loong64",
        same => same,
    }
}

pub(super) fn cores(sources: &Sources) -> u32 {
    let stat = sources.proc("stat");
    let cores = stat.lines().filter(|line| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    u32::try_from(cores.count()).unwrap_or(u32::MAX).max(1)
}

/// A description such as `4 cores, Cortex-A72`.
pub(super) fn describe(sources: &Sources, cores: u32) -> String {
    let count = if cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") };
    match model(sources) {
        Some(model) => format!("{count}, {model}"),
        None => count,
    }
}

fn model(sources: &Sources) -> Option<String> {
    let info = sources.proc("cpuinfo");
    let value = |key: &str| {
        info.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim_end() == key).then(|| value.trim()).filter(|value| !value.is_empty())
        })
    };
    let named = value("model name").map(str::to_owned);
    named.or_else(|| arm_core(value("CPU implementer")?, value("CPU part")?).map(str::to_owned)).or_else(
        || {
            // The board's model if the core is unknown; the text ends with a zero byte.
            let board = sources.proc("device-tree/model");
            Some(board.trim_matches(['\0', ' ', '\n']).to_owned()).filter(|board| !board.is_empty())
        },
    )
}

/// Names of common ARM cores; ARM Linux only reports numbers.
fn arm_core(implementer: &str, part: &str) -> Option<&'static str> {
    if implementer != "0x41" {
        return None;
    }
    Some(match part {
        "0xb76" => "ARM1176",
        "0xc07" => "Cortex-A7",
        "0xd03" => "Cortex-A53",
        "0xd04" => "Cortex-A35",
        "0xd05" => "Cortex-A55",
        "0xd07" => "Cortex-A57",
        "0xd08" => "Cortex-A72",
        "0xd09" => "Cortex-A73",
        "0xd0a" => "Cortex-A75",
        "0xd0b" => "Cortex-A76",
        "0xd0c" => "Neoverse-N1",
        "0xd49" => "Neoverse-N2",
        _ => return None,
    })
}

pub(super) fn times(sources: &Sources) -> Option<Times> {
    let stat = sources.proc("stat");
    let mut fields = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
    // user nice system idle iowait irq softirq steal; guest times are part of user already.
    let mut fields =
        std::array::from_fn::<u64, 8, _>(|_| fields.next().and_then(|field| field.parse().ok()).unwrap_or(0));
    let idle = std::mem::take(&mut fields[3]) + std::mem::take(&mut fields[4]);
    let busy = fields.iter().sum();
    Some(Times { busy, all: busy + idle })
}

/// CPU usage of the whole machine, 0 to 100.
pub(super) fn percent(last: Times, now: Times) -> f64 {
    let all = now.all.saturating_sub(last.all);
    let busy = now.busy.saturating_sub(last.busy).min(all);
    if all == 0 { 0.0 } else { (busy as f64 / all as f64 * 10_000.0).round() / 100.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_in_gos_words() {
        assert_eq!(go_arch("x86_64", true), "amd64");
        assert_eq!(go_arch("aarch64", true), "arm64");
        assert_eq!(go_arch("arm", true), "arm");
        assert_eq!(go_arch("powerpc64", true), "ppc64le");
        assert_eq!(go_arch("riscv64", true), "riscv64");
    }

    #[test]
    fn percent_is_of_the_time_between_and_never_outside_its_range() {
        let at = |busy, all| Times { busy, all };
        assert_eq!(percent(at(100, 1000), at(150, 1200)), 25.0);
        assert_eq!(percent(at(100, 1000), at(100, 1000)), 0.0, "no time has passed");
        assert_eq!(percent(at(500, 1000), at(100, 900)), 0.0, "counters went back");
        assert_eq!(percent(at(0, 0), at(500, 100)), 100.0);
    }
}
