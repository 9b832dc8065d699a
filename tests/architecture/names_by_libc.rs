//! No names are resolved through the C library. Its `getaddrinfo` and its user database load the machine's modules
//! (NSS) at runtime. In a static program, which contains another version of the library, that may crash: it did on
//! Debian 13. Clippy rejects our own calls; this test finds those inside libraries, by the symbols that the linker
//! kept.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::files::root;

/// Functions of the C library that load its modules.
const LOADERS: [&str; 14] = [
    "getaddrinfo",
    "getnameinfo",
    "gethostbyname",
    "gethostbyname2",
    "gethostbyname_r",
    "gethostbyname2_r",
    "gethostbyaddr",
    "gethostbyaddr_r",
    "getservbyname",
    "getpwnam",
    "getpwnam_r",
    "getgrnam",
    "getgrnam_r",
    "getgrouplist",
];

/// Source text that leads there, for the message only. (So does `connect` or `bind` with a text.)
const WORDS: [&str; 4] = ["lookup_host(", "to_socket_addrs(", "GaiResolver", "getaddrinfo("];

/// Those of [`LOADERS`] that a dynamically linked program imports from the C library. Functions that nothing calls are
/// not included: the linker drops them.
fn loaders(program: &Path) -> BTreeSet<String> {
    let out = Command::new("nm").args(["-D", "--undefined-only"]).arg(program).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    // Every program has this symbol; otherwise nothing was read.
    assert!(text.contains(" __libc_start_main"), "{}: nm shows no symbols", program.display());
    let symbols = text.lines().filter_map(|line| line.split_whitespace().last());
    let names = symbols.map(|symbol| symbol.split('@').next().unwrap_or_default());
    names.filter(|name| LOADERS.contains(name)).map(str::to_owned).collect()
}

/// Libraries of the program whose sources contain one of [`WORDS`]: where to look first.
fn candidates() -> Vec<String> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", &format!("{}-unknown-linux-gnu", std::env::consts::ARCH)])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    let nodes: HashMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).map(|node| (text(&node["id"]), node)).collect();
    let mut linked = BTreeSet::new();
    let mut next = vec![text(&metadata["resolve"]["root"])];
    while let Some(id) = next.pop() {
        if linked.insert(id) {
            let deps = list(&nodes[id]["deps"]);
            let normal = deps.filter(|dep| list(&dep["dep_kinds"]).any(|kind| kind["kind"].is_null()));
            next.extend(normal.map(|dep| text(&dep["pkg"])));
        }
    }
    let mut found = Vec::new();
    for package in list(&metadata["packages"]).filter(|package| linked.contains(text(&package["id"]))) {
        let folder = Path::new(text(&package["manifest_path"])).parent().unwrap().join("src");
        let mut words = BTreeSet::new();
        read(&folder, &mut words);
        if !words.is_empty() {
            let words: Vec<&str> = words.into_iter().collect();
            found.push(format!("{}: {}", text(&package["name"]), words.join(", ")));
        }
    }
    found
}

fn read(folder: &Path, words: &mut BTreeSet<&'static str>) {
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            read(&path, words);
        } else if let Ok(source) = std::fs::read_to_string(&path) {
            let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
            words.extend(code.flat_map(|line| WORDS.into_iter().filter(|word| line.contains(word))));
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn no_library_looks_names_up_through_the_c_library() {
    let found = loaders(Path::new(env!("CARGO_BIN_EXE_ctrl-alt-play")));
    assert!(
        found.is_empty(),
        "the program calls {found:?}, which load modules of the machine's C library. Resolve the name with \
         `agent::dns` and hand over the address. Something in one of these leads there:\n{}",
        candidates().join("\n")
    );
}

#[test]
fn a_lookup_through_the_c_library_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let built = |name: &str, body: &str| {
        let source = folder.path().join(format!("{name}.rs"));
        std::fs::write(&source, format!("fn main() {{ {body} }}")).unwrap();
        let program = folder.path().join(name);
        let out = Command::new("rustc").arg(&source).arg("-o").arg(&program).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        loaders(&program)
    };
    let by_name = built("by_name", "let _ = std::net::TcpStream::connect((\"localhost\", 1));");
    assert_eq!(by_name, ["getaddrinfo".to_owned()].into());
    let address = "let to: std::net::SocketAddr = \"127.0.0.1:1\".parse().unwrap();";
    let by_address = built("by_address", &format!("{address} let _ = std::net::TcpStream::connect(to);"));
    assert_eq!(by_address, BTreeSet::new());
}
