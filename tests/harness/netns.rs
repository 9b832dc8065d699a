//! The network of a simulated machine: a namespace connected to this machine by a virtual cable that can be cut or
//! degraded.

use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

use super::run_number;

/// A namespace with one cable. Removed with all of its rules when dropped.
pub(crate) struct Network {
    name: String,
    /// Address of our end of the cable.
    pub(crate) here: String,
    /// Address of the other end.
    pub(crate) there: String,
}

impl Network {
    /// Creates one; panics if the kernel or our permissions do not allow that.
    pub(crate) fn new() -> Self {
        let this = Self::alone();
        let (near, far) = (format!("{}n", this.name), format!("{}f", this.name));
        let made = ip(&["link", "add", &near, "type", "veth", "peer", "name", &far, "netns", &this.name])
            && ip(&["addr", "add", &format!("{}/30", this.here), "dev", &near])
            && ip(&["link", "set", &near, "up"])
            && ip(&["-n", &this.name, "addr", "add", &format!("{}/30", this.there), "dev", &far])
            && ip(&["-n", &this.name, "link", "set", &far, "up"]);
        assert!(made, "no cable to a network namespace could be made: it takes root, iproute2 and veth");
        this
    }

    /// Creates one without a cable, so that no multicast or broadcast of this machine arrives there.
    pub(crate) fn alone() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let run = run_number();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(number < 60, "more networks than addresses");
        let name = format!("cap{run}x{number}");
        let base = format!("10.213.{run}");
        let (here, there) = (format!("{base}.{}", number * 4 + 1), format!("{base}.{}", number * 4 + 2));
        // Leftovers of a killed run with the same number.
        ip(&["link", "del", &format!("{name}n")]);
        ip(&["netns", "del", &name]);
        let this = Self { name, here, there };
        let made = ip(&["netns", "add", &this.name]) && ip(&["-n", &this.name, "link", "set", "lo", "up"]);
        assert!(made, "no network namespace could be made: it takes root and iproute2");
        this
    }

    /// Command prefix that runs a program in this network only.
    pub(crate) fn wrapper(&self) -> Vec<&str> {
        vec!["ip", "netns", "exec", &self.name]
    }

    /// Adds a direct cable from this machine to another one, bypassing ours, so that multicast on it stays there.
    /// Returns their addresses on it, this one's first.
    pub(crate) fn joined_to(&self, other: &Self) -> (String, String) {
        let (near, far) = (format!("{}j", self.name), format!("{}k", other.name));
        let base = format!("10.214.{}", run_number());
        let ends = [(self, &near, 1), (other, &far, 2)].map(|(network, cable, host)| {
            // Networks of other tests have names that end in other numbers.
            let number: u32 = self.name.rsplit('x').next().unwrap().parse().unwrap();
            (network, cable, format!("{base}.{}", number * 4 + host))
        });
        let mut made = ip(&[
            "-n",
            &self.name,
            "link",
            "add",
            &near,
            "type",
            "veth",
            "peer",
            "name",
            &far,
            "netns",
            &other.name,
        ]);
        for (network, cable, address) in &ends {
            made &= ip(&["-n", &network.name, "addr", "add", &format!("{address}/30"), "dev", cable])
                && ip(&["-n", &network.name, "link", "set", cable, "up"]);
        }
        assert!(made, "no cable between two network namespaces could be made");
        let [(_, _, here), (_, _, there)] = ends;
        (here, there)
    }

    /// Interface name of this end of a cable made by [`Network::joined_to`].
    pub(crate) fn cable(&self) -> String {
        format!("{}j", self.name)
    }

    /// Interface name of this end of a cable made from the other network.
    pub(crate) fn far_cable(&self) -> String {
        format!("{}k", self.name)
    }

    /// Interface name of the other end of its cable to this machine.
    pub(crate) fn uplink(&self) -> String {
        format!("{}f", self.name)
    }

    /// What a program in it prints.
    pub(crate) fn output(&self, words: &[&str]) -> String {
        output(&[&["ip", "netns", "exec", &self.name], words].concat())
    }

    /// Path of the namespace.
    pub(crate) fn path(&self) -> std::path::PathBuf {
        std::path::Path::new("/run/netns").join(&self.name)
    }

    /// Runs `ip ARGS` in it; panics on failure.
    pub(crate) fn ip(&self, args: &[&str]) {
        assert!(ip(&[&["-n", &self.name], args].concat()), "ip {args:?}");
    }

    /// Runs a program in it; whether it succeeded.
    pub(crate) fn run(&self, words: &[&str]) -> bool {
        run(&[&["ip", "netns", "exec", &self.name], words].concat())
    }

    /// Creates a bridge like those of container engines.
    pub(crate) fn bridge(&self, bridge: &str, address: &str) {
        let made = ip(&["-n", &self.name, "link", "add", bridge, "type", "bridge"])
            && ip(&["-n", &self.name, "addr", "add", &format!("{address}/24"), "dev", bridge])
            && ip(&["-n", &self.name, "link", "set", bridge, "up"]);
        assert!(made, "no bridge could be made");
    }

    /// Silently drops all packets, in both directions.
    pub(crate) fn cut(&self) {
        assert!(
            self.rule(&["-I", "INPUT", "-j", "DROP"]) && self.rule(&["-I", "OUTPUT", "-j", "DROP"]),
            "iptables"
        );
    }

    /// Lets all packets pass again.
    pub(crate) fn mend(&self) {
        assert!(self.rule(&["-F"]), "iptables");
    }

    /// Drops this share of the packets, in both directions.
    pub(crate) fn loses(&self, share: f64) {
        let share = share.to_string();
        let random = ["-m", "statistic", "--mode", "random", "--probability", &share, "-j", "DROP"];
        for chain in ["INPUT", "OUTPUT"] {
            assert!(self.rule(&[&["-A", chain], &random[..]].concat()), "iptables -m statistic");
        }
    }

    /// A kernel counter of this network, by its name in `/proc/net/netstat`.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let shown = output(&["ip", "netns", "exec", &self.name, "cat", "/proc/net/netstat"]);
        let mut lines = shown.lines().filter(|line| line.starts_with("TcpExt:"));
        let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
        let mut pairs = names.split_whitespace().zip(values.split_whitespace());
        pairs.find(|(found, _)| *found == name).expect("such a counter").1.parse().unwrap()
    }

    /// Adds a firewall rule; whether it was accepted.
    pub(crate) fn rule(&self, args: &[&str]) -> bool {
        run(&[&["ip", "netns", "exec", &self.name, "iptables", "-w"], args].concat())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The cable is removed with the namespace.
        ip(&["netns", "del", &self.name]);
    }
}

fn ip(args: &[&str]) -> bool {
    run(&[&["ip"], args].concat())
}

fn run(words: &[&str]) -> bool {
    command(words).output().is_ok_and(|output| output.status.success())
}

fn output(words: &[&str]) -> String {
    String::from_utf8(command(words).output().expect("it runs").stdout).unwrap()
}

/// A command as root without output, because some commands only clean up and may fail.
fn command(words: &[&str]) -> Command {
    use std::os::unix::fs::MetadataExt;
    let root = std::fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0);
    let words = if root { words.to_vec() } else { [&["sudo", "-n"], words].concat() };
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}
