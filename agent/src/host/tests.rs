use std::fs;

use super::*;

/// A simulated machine made of files.
struct Machine {
    root: tempfile::TempDir,
}

impl Machine {
    fn new(files: &[(&str, &str)]) -> Self {
        let machine = Self { root: tempfile::tempdir().unwrap() };
        for (path, text) in files {
            machine.write(path, text);
        }
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn sources(&self) -> Sources {
        Sources::below(self.root.path())
    }

    fn host(&self) -> Host {
        Host::with_sources("local".into(), self.root.path().into(), self.sources())
    }
}

const PI: &[(&str, &str)] = &[
    ("proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1 1\ncpu1 1 1 1\ncpu2 1 1 1\ncpu3 1 1 1\nintr 5\n"),
    (
        "proc/meminfo",
        "MemTotal:        3885396 kB\nMemFree:          100000 kB\nMemAvailable:    2885396 kB\n",
    ),
    (
        "proc/cpuinfo",
        "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\nModel\t\t: Raspberry Pi 4 Model B\n",
    ),
    ("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"),
    ("proc/sys/kernel/hostname", "raspberrypi\n"),
    ("proc/sys/kernel/osrelease", "6.1.21-v8+\n"),
    ("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n"),
];

#[test]
fn a_raspberry_pi_as_it_comes() {
    let machine = Machine::new(PI);
    let engine = Engine { available: true, version: Some("24.0.7".into()), ..Engine::default() };
    let info = machine.host().system_info(&engine, "0.1.0", &["docker", "ack"]);
    assert_eq!(info.os, "linux");
    assert_eq!(info.cpu, "4 cores, Cortex-A72");
    assert_eq!(info.cores, Some(4));
    assert_eq!(info.memory, 3_885_396 * 1024);
    assert_eq!(info.hostname.as_deref(), Some("raspberrypi"));
    assert_eq!(info.kernel.as_deref(), Some("6.1.21-v8+"));
    assert_eq!(info.cgroup.as_deref(), Some("v2"));
    assert_eq!(info.docker_version.as_deref(), Some("24.0.7"));
    assert_eq!(info.capabilities, ["docker", "ack"]);
    let codes: Vec<&str> = info.problems.iter().map(|problem| problem.code.as_str()).collect();
    assert!(codes.contains(&"memory_limit_off"), "{codes:?}");
    assert!(!codes.contains(&"cpu_limit_off") && !codes.contains(&"pids_limit_off"), "{codes:?}");
}

#[test]
fn usage_is_what_happened_since_the_last_look() {
    let machine = Machine::new(PI);
    let host = machine.host();
    machine.write("proc/stat", "cpu  150 0 150 1100 0 0 0 0 0 0\n");
    let stats = host.node_stats();
    assert_eq!(stats.cpu, 25.0);
    assert_eq!(stats.memory, protocol::Space { used: 1_000_000 * 1024, total: 3_885_396 * 1024 });
    assert!(stats.disk.total > 0 && stats.disk.used <= stats.disk.total, "{:?}", stats.disk);
    assert_eq!(host.node_stats().cpu, 0.0, "nothing happened since");
}

#[test]
fn cgroups_of_both_kinds_and_none() {
    let v1 = Machine::new(&[
        ("sys/fs/cgroup/memory/tasks", ""),
        (
            "proc/cgroups",
            "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\nmemory\t0\t1\t0\npids\t8\t1\t1\n",
        ),
    ]);
    assert_eq!(cgroup::version(&v1.sources()), Some("v1"));
    assert_eq!(cgroup::missing(&v1.sources()), ["memory"]);
    let none = Machine::new(&[]);
    assert_eq!(cgroup::version(&none.sources()), None);
    assert_eq!(
        cgroup::missing(&none.sources()),
        Vec::<&str>::new(),
        "what cannot be told is not held against it"
    );
}

#[test]
fn a_machine_that_tells_nothing_breaks_nothing() {
    let host = Machine::new(&[]).host();
    let info = host.system_info(&Engine::default(), "0.1.0", &[]);
    assert_eq!((info.cores, info.cpu.as_str(), info.memory), (Some(1), "1 core", 0));
    assert_eq!(info.docker_version, None);
    assert_eq!(host.node_stats().cpu, 0.0);
    let garbage =
        Machine::new(&[("proc/stat", "cpu  a b\n"), ("proc/meminfo", "MemTotal: 99999999999999999999 kB")]);
    assert_eq!(garbage.host().node_stats().memory.total, 0);
}

#[test]
fn this_machine() {
    let host = Host::new("local", "/tmp");
    let info = host.system_info(&Engine::default(), "0.1.0", &[]);
    assert!(info.memory > 64 << 20, "{info:?}");
    assert!(info.cpu.contains("core"), "{info:?}");
    assert!(
        !info.networks.contains_key("lo") && !info.networks.contains_key("docker0"),
        "{:?}",
        info.networks
    );
    let image = [("SERVER_PORT", "7"), ("SERVER_IP", ""), ("SECRET", "x")];
    let image = image.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let report = host.report(Some(image), &[]);
    assert!(
        report.image_present
            && report.image_environment.keys().eq(["SERVER_PORT"])
            && report.memory.total == info.memory
            && report.disk.total > 0,
        "{report:?}"
    );
}

#[test]
fn swap_and_disk_weights_of_both_kinds_of_cgroups() {
    let v2 = Machine::new(&[
        ("sys/fs/cgroup/cgroup.controllers", "cpu io memory pids\n"),
        ("sys/fs/cgroup/system.slice/memory.max", "max\n"),
    ]);
    assert_eq!(cgroup::swap_limit(&v2.sources()), Some(false));
    assert_eq!(cgroup::io_weight(&v2.sources()), Some(true));
    v2.write("sys/fs/cgroup/system.slice/memory.swap.max", "max\n");
    assert_eq!(cgroup::swap_limit(&v2.sources()), Some(true));
    v2.write("sys/fs/cgroup/cgroup.controllers", "cpu pids\n");
    assert_eq!(cgroup::io_weight(&v2.sources()), Some(false));
    let v1 = Machine::new(&[("sys/fs/cgroup/memory/tasks", "")]);
    assert_eq!(
        (cgroup::swap_limit(&v1.sources()), cgroup::io_weight(&v1.sources())),
        (Some(false), Some(false))
    );
    let none = Machine::new(&[]);
    assert_eq!((cgroup::swap_limit(&none.sources()), cgroup::io_weight(&none.sources())), (None, None));
    assert_eq!(space::swap(&none.sources()), None);
    assert_eq!(space::swap(&Machine::new(&[("proc/meminfo", "SwapTotal: 2 kB\n")]).sources()), Some(2048));
}
