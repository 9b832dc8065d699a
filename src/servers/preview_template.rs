//! What a template would do on the node: readable startup command, environment and config files.

use std::collections::BTreeMap;

use ::templates::model::{ConfigFile, Scalar, Setting, Template};
use ::templates::placeholders::{self, Address, Context};
use ::templates::render;
use serde::Serialize;
use storage::servers::{Port, StartupMode};
use utoipa::ToSchema;

use super::draft::Draft;

const MIB: i64 = 1 << 20;

/// What its template would do.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PreviewTemplate)]
pub(super) struct TemplatePreview {
    /// The startup command with the values in it. What runs is the command without them, which the image expands.
    command: String,
    /// Every variable of the container.
    environment: BTreeMap<String, String>,
    /// The image in which the install script runs; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    install_image: Option<String>,
    /// Files that are set before each start.
    config_files: Vec<PreviewFile>,
}

/// A file that is set before each start.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct PreviewFile {
    /// Below the server's folder.
    path: String,
    /// `properties`, `json` and the like.
    parser: &'static str,
    /// What is set, in this order.
    set: Vec<PreviewSetting>,
}

/// One thing that is set in a file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct PreviewSetting {
    /// Where, in the parser's way.
    key: String,
    /// Only where the present value is this, or matches what stands behind `regex:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<String>,
    /// What it becomes.
    value: String,
}

/// Whether the template's image reads its startup command from `STARTUP`, as those of other panels do.
pub(super) fn is_egg(draft: &Draft) -> bool {
    draft.native.is_some() && draft.behaviour.startup_mode == StartupMode::Variable
}

/// `None` if the template has no native form.
pub(super) fn of(draft: &Draft, ports: &[Port]) -> Option<TemplatePreview> {
    let native = draft.native.as_ref()?;
    let context = context(draft, native, ports);
    let environment = match is_egg(draft) {
        true => render::environment(native, &draft.startup, &context),
        false => draft.environment.clone(),
    };
    Some(TemplatePreview {
        command: placeholders::in_startup_preview(&draft.startup, &context, |_| true),
        environment,
        install_image: native.install.as_ref().map(|install| install.image.clone()),
        config_files: native.config_files.iter().map(|file| config_file(file, &context)).collect(),
    })
}

fn config_file(file: &ConfigFile, context: &Context) -> PreviewFile {
    let setting = |one: &Setting| PreviewSetting {
        key: one.key.clone(),
        when: one.when.clone(),
        value: match &one.value {
            Scalar::Bool(value) => value.to_string(),
            Scalar::Int(value) => value.to_string(),
            Scalar::Float(value) => value.to_string(),
            Scalar::Text(text) => placeholders::in_config(text, context),
        },
    };
    PreviewFile {
        path: file.path.clone(),
        parser: file.parser.name(),
        set: file.set.iter().map(setting).collect(),
    }
}

/// Context for expanding values, as on the node. Its time zone and the server's id are not known yet.
fn context(draft: &Draft, native: &Template, ports: &[Port]) -> Context {
    let mut environment: BTreeMap<String, String> =
        native.variables.iter().map(|one| (one.name.clone(), one.default.clone())).collect();
    environment.extend(draft.environment.clone());
    let timezone = environment.get("TZ").filter(|zone| !zone.is_empty()).cloned();
    let mib = |bytes: i64| u64::try_from(bytes / MIB).unwrap_or(0);
    let numbers: Vec<u16> = ports.iter().map(|port| port.internal).collect();
    let limits = &draft.limits;
    Context {
        uuid: "…".to_owned(),
        name: draft.name.clone(),
        image: draft.image.clone(),
        environment,
        address: Address {
            ip: "0.0.0.0".to_owned(),
            port: numbers.first().copied().unwrap_or(0),
            ports: numbers,
        },
        limits: placeholders::Limits {
            memory_mib: mib(limits.memory),
            swap_mib: if limits.swap < 0 { -1 } else { limits.swap / MIB },
            disk_mib: mib(limits.disk),
            io: u32::try_from(limits.io).unwrap_or(0),
            cpu: u64::try_from(limits.cpu).unwrap_or(0),
        },
        docker_interface: String::new(),
        suspended: false,
        timezone: timezone.unwrap_or_else(|| "…".to_owned()),
    }
}
