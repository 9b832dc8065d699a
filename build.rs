//! Builds the web page if its sources changed, copies its files for `src/http/assets.rs` to embed, and compresses the
//! OpenAPI document for `src/docs`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is how a build script speaks to cargo")]

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Sources of the page, below `web/`. A build must not write to them, or every cargo build would run this again.
const SOURCES: &[&str] = &[
    "src",
    "static",
    "package.json",
    "package-lock.json",
    "icons.js",
    "shell.js",
    "svelte.config.js",
    "vite.config.ts",
    "tsconfig.json",
];
const SKIP: &str = "CTRL_ALT_PLAY_SKIP_WEB";

const PLACEHOLDER: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Ctrl-Alt-Play</title></head>\
<body><main><h1>Ctrl-Alt-Play</h1><p>This binary was built without its web page. Its API is described at \
<a href=\"/api/docs\">/api/docs</a>.</p></main></body></html>";

fn main() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let web = root.join("web");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={SKIP}");
    for source in SOURCES {
        // cargo would run this script at every build because of a path that does not exist.
        if web.join(source).exists() {
            println!("cargo::rerun-if-changed=web/{source}");
        }
    }
    let build = web.join("build");
    let skip = env::var_os(SKIP).is_some_and(|value| !value.is_empty() && value != "0");
    if skip || !web.join("package.json").exists() {
        if build.join("index.html").exists() {
            println!("cargo::rerun-if-changed=web/build");
        }
    } else if !is_fresh(&web)? {
        build_page(&web)?;
    }
    pack(&web.join("openapi.json"), &out)?;
    lay_out(&build, &out)
}

/// Writes a compressed copy of a file to `OUT_DIR`. The output is reproducible.
fn pack(file: &Path, out: &Path) -> Result<()> {
    println!("cargo::rerun-if-changed={}", file.display());
    let name = file.file_name().and_then(|name| name.to_str()).ok_or("a file without a name")?;
    let packed = File::create(out.join(format!("{name}.gz")))?;
    let mut packer = GzBuilder::new().write(packed, Compression::best());
    packer.write_all(&fs::read(file)?)?;
    packer.finish()?;
    Ok(())
}

/// Whether the built page is newer than all its sources.
fn is_fresh(web: &Path) -> Result<bool> {
    let Ok(built) = fs::metadata(web.join("build/index.html")).and_then(|found| found.modified()) else {
        return Ok(false);
    };
    for source in SOURCES {
        let path = web.join(source);
        if path.exists() && newest(&path)? > built {
            return Ok(false);
        }
    }
    Ok(true)
}

fn newest(path: &Path) -> Result<SystemTime> {
    let found = fs::metadata(path)?;
    let mut time = found.modified()?;
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            time = time.max(newest(&entry?.path())?);
        }
    }
    Ok(time)
}

fn build_page(web: &Path) -> Result<()> {
    let node = said("node", web).ok_or(
        "the web page needs Node 20.19 or newer, and `node` is not there: install it, or set \
        CTRL_ALT_PLAY_SKIP_WEB=1 to build without the page",
    )?;
    let version: Vec<u32> =
        node.trim_start_matches('v').split('.').map_while(|part| part.trim().parse().ok()).collect();
    if version < vec![20, 19] {
        return Err(format!("the web page needs Node 20.19 or newer, and this is {}", node.trim()).into());
    }
    said("npm", web).ok_or("the web page needs npm, which comes with Node, and `npm` is not there")?;
    let lock = fs::metadata(web.join("package-lock.json")).and_then(|found| found.modified());
    let installed =
        fs::metadata(web.join("node_modules/.package-lock.json")).and_then(|found| found.modified());
    // `npm ci` is slow and deletes `node_modules`: run it only if the lock file is newer than the installation.
    if !matches!((lock, installed), (Ok(lock), Ok(installed)) if lock <= installed) {
        npm(web, &["ci", "--no-audit", "--no-fund"])?;
    }
    npm(web, &["run", "build"])
}

fn said(program: &str, folder: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").current_dir(folder).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn npm(web: &Path, arguments: &[&str]) -> Result<()> {
    let output = Command::new("npm").args(arguments).current_dir(web).output()?;
    if output.status.success() {
        return Ok(());
    }
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("`npm {}` in web/ failed:\n{out}\n{err}", arguments.join(" ")).into())
}

/// Copies the page to `OUT_DIR`, so that another build of the page cannot delete files while the compiler reads them.
/// Also writes `policy.rs`: the Content-Security-Policy with the hashes of the inline scripts. If a file has a `.gz`
/// version, the plain file is left out; the panel decompresses it for the rare client that needs it.
fn lay_out(build: &Path, out: &Path) -> Result<()> {
    let copy = out.join("page");
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    fs::create_dir_all(&copy)?;
    if build.join("index.html").exists() {
        copy_folder(build, &copy)?;
    } else {
        fs::write(copy.join("index.html"), PLACEHOLDER)?;
    }
    let shell = fs::read_to_string(copy.join("index.html"))?;
    let mut scripts = String::new();
    for hash in inline_scripts(&shell) {
        write!(scripts, " 'sha256-{hash}'")?;
    }
    let policy = format!(
        "default-src 'self'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline'; connect-src 'self'; \
         img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    );
    fs::write(out.join("policy.rs"), format!("const POLICY: &str = {policy:?};\n"))?;
    leave_packed(&copy)
}

fn leave_packed(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            leave_packed(&path)?;
        } else if path.extension().is_some_and(|ending| ending == "gz") {
            let plain = path.with_extension("");
            if plain.exists() {
                fs::remove_file(plain)?;
            }
        }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// SHA-256 in Base64 of each inline script.
fn inline_scripts(page: &str) -> Vec<String> {
    let mut hashes = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find("<script") {
        rest = &rest[at..];
        let Some(open) = rest.find('>') else { break };
        let attributes = &rest[..open];
        let Some(close) = rest.find("</script>") else { break };
        if !attributes.contains("src=") && close > open {
            hashes.push(BASE64_STANDARD.encode(Sha256::digest(&rest[open + 1..close])));
        }
        rest = &rest[close..];
    }
    hashes
}
