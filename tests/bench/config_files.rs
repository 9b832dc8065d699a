//! Config files of templates: how long they take to be set, and how much later a server with some starts.

use std::time::Instant;

use serde_json::{Value, json};
use templates::config_files;
use templates::model::{self, ConfigFile};
use templates::placeholders::Context;

use crate::Result;
use crate::click::{CLICKS, Engine};
use crate::panel::{IMAGE, Panel};
use crate::report::Report;

const ROUNDS: usize = 200;

/// A template with the config files of a usual Minecraft server, or with none.
fn template(name: &str, files: bool) -> String {
    let files = if files {
        "config_files:
- path: server.properties
  parser: properties
  set:
  - {key: server-ip, value: 0.0.0.0}
  - {key: server-port, value: '{{server.build.default.port}}'}
  - {key: query.port, value: '{{server.build.default.port}}'}
  - {key: motd, value: '{{server.build.env.MOTD}}'}
- path: bukkit.yml
  parser: yaml
  set:
  - {key: settings.query-plugins, value: false}
  - {key: spawn-limits.monsters, value: 70}
- path: config.json
  parser: json
  set:
  - {key: listeners.0.host, value: '0.0.0.0:{{server.build.default.port}}'}
  - {key: online, value: true}
"
    } else {
        ""
    };
    format!(
        "template: 1
about:
  name: {name}
images:
- label: One
  reference: {IMAGE}
startup:
- name: Default
  command: while read word; do :; done
variables:
- name: MOTD
  default: A server
{files}run:
  startup_by_shell: true
"
    )
}

/// Files as a game has written them: longer than what is set in them.
fn present(file: &ConfigFile) -> Vec<u8> {
    let lines = |line: fn(usize) -> String| (0..60).map(line).collect::<String>();
    match file.path.as_str() {
        "server.properties" => {
            lines(|n| format!("some-setting-{n}=value {n}\n")) + "motd=old\nserver-port=1\n"
        }
        "bukkit.yml" => {
            lines(|n| format!("# about it\nkey-{n}: {n}\n"))
                + "settings:\n  query-plugins: true\nspawn-limits:\n  monsters: 1\n"
        }
        _ => format!(
            "{{\n{}  \"listeners\": [{{\"host\": \"x\"}}],\n  \"online\": false\n}}\n",
            lines(|n| format!("  \"k{n}\": {n},\n"))
        ),
    }
    .into_bytes()
}

fn render(report: &mut Report) -> Result<()> {
    let native = model::read(&template("Files", true))?;
    let files: Vec<_> = native.config_files.iter().map(|file| (file, present(file))).collect();
    let mut context = Context::default();
    context.address.port = 25_565;
    context.environment.insert("MOTD".into(), "Hello".into());
    let mut took = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for (file, present) in &files {
            let after = config_files::render(file, Some(present), &context)?;
            if after == *present {
                return Err(format!("{} is as it was", file.path).into());
            }
        }
        took.push(start.elapsed().as_secs_f64() * 1e3);
    }
    took.sort_by(f64::total_cmp);
    let worst = Some((took[ROUNDS - 1], "ms, the slowest of 200"));
    report.row("config files of a Minecraft server (3): set", "ms", took[ROUNDS / 2], 5.0, worst);
    Ok(())
}

async fn server(panel: &Panel, name: &str, files: bool) -> Result<String> {
    let body = serde_json::to_value(model::read(&template(name, files))?)?;
    let added = panel.call(reqwest::Method::POST, "/api/templates", Some(body)).await?;
    let body = json!({ "name": name, "templateId": added["id"], "limits": { "memory": 64 << 20 } });
    let server: Value = panel.call(reqwest::Method::POST, "/api/servers", Some(body)).await?;
    let id = server["id"].as_str().ok_or("no id")?.to_owned();
    panel.wait(&id, "stopped").await?;
    Ok(id)
}

pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    render(report)?;
    let engine = Engine::listen()?;
    let panel = engine.panel().await?;
    let (without, with) = (server(&panel, "Plain", false).await?, server(&panel, "Files", true).await?);
    let (_, plain) = engine.starts(&panel, &without).await?;
    let (_, files) = engine.starts(&panel, &with).await?;
    let later = files[CLICKS / 2] - plain[CLICKS / 2];
    let beside = Some((plain[CLICKS / 2], "ms to the container without any"));
    report.row("start with 3 config files: later by", "ms", later, 20.0, beside);
    panel.remove_servers().await?;
    panel.stop().await
}
