//! Converts stored records to messages for an agent, and what an agent reports about a server back to a record.

use ::templates::model;
use protocol as wire;
use storage::servers as record;

/// The message that creates a server, with all of its settings.
pub fn create_message(server: &record::Server) -> wire::ServerCreate {
    wire::ServerCreate {
        server_id: server.id.clone(),
        name: Some(server.name.clone()),
        image: server.image.clone(),
        startup: startup(server),
        environment: server.environment.clone(),
        limits: limits(&server.limits),
        ports: ports(&server.ports),
        block_lan: server.block_lan,
        behaviour: Some(behaviour(&server.behaviour)),
        template: template(server),
    }
}

/// The message that updates a server, with all of its settings.
pub fn update_message(server: &record::Server) -> wire::ServerUpdate {
    wire::ServerUpdate {
        server_id: server.id.clone(),
        name: Some(server.name.clone()),
        image: Some(server.image.clone()),
        startup: Some(startup(server)),
        environment: Some(server.environment.clone()),
        limits: Some(limits(&server.limits)),
        ports: Some(ports(&server.ports)),
        block_lan: Some(server.block_lan),
        behaviour: Some(behaviour(&server.behaviour)),
        template: template(server),
    }
}

/// One port.
pub fn port_message(port: record::Port) -> wire::Port {
    wire::Port {
        internal: port.internal,
        external: port.external,
        protocol: match port.protocol {
            record::Protocol::Tcp => wire::Protocol::Tcp,
            record::Protocol::Udp => wire::Protocol::Udp,
        },
    }
}

fn ports(ports: &[record::Port]) -> Vec<wire::Port> {
    ports.iter().copied().map(port_message).collect()
}

/// The startup line; empty if the image runs its own command.
fn startup(server: &record::Server) -> String {
    match server.behaviour.startup_mode {
        record::StartupMode::ImageOwn => String::new(),
        record::StartupMode::Shell | record::StartupMode::Variable => server.startup.clone(),
    }
}

fn limits(limits: &record::Limits) -> wire::Limits {
    let record::Limits { memory, swap, disk, io, cpu, processes } = *limits;
    wire::Limits { memory, swap, disk, io, cpu, processes }
}

fn behaviour(behaviour: &record::Behaviour) -> wire::Behaviour {
    wire::Behaviour {
        user: match &behaviour.user {
            record::ContainerUser::Agent => wire::ContainerUser::Agent,
            record::ContainerUser::Image => wire::ContainerUser::Image,
            record::ContainerUser::Fixed(pair) => wire::ContainerUser::Fixed(pair.clone()),
        },
        data_path: behaviour.data_path.clone(),
        working_dir: behaviour.working_dir.clone(),
        read_only_root: behaviour.read_only_root,
        startup_mode: match behaviour.startup_mode {
            record::StartupMode::Shell | record::StartupMode::ImageOwn => wire::StartupMode::Shell,
            record::StartupMode::Variable => wire::StartupMode::Variable,
        },
        stop: match &behaviour.stop {
            record::Stop::Command(line) => wire::Stop::Command(line.clone()),
            record::Stop::Signal(name) => wire::Stop::Signal(name.clone()),
        },
        stop_timeout: behaviour.stop_timeout_secs,
        ready: behaviour.ready.clone(),
        restart_after_crash: behaviour.restart_after_crash,
        stop_at_disk_limit: behaviour.stop_at_disk_limit,
    }
}

/// The parts of the server's template that the agent uses; `None` without a readable template.
fn template(server: &record::Server) -> Option<Box<wire::ServerTemplate>> {
    let kept: model::Template = serde_json::from_str(server.template.as_deref()?)
        .inspect_err(|error| tracing::error!(server = %server.id, %error, "its template cannot be read"))
        .ok()?;
    let model::Template { variables, config_files, install, run, .. } = kept;
    let variable = |one: model::Variable| wire::TemplateVariable {
        name: one.name,
        label: one.label,
        default: one.default,
        rules: one.rules,
        omit_empty: one.omit_empty,
    };
    let install = install.map(|one| wire::TemplateInstall {
        image: one.image,
        entrypoint: one.entrypoint,
        script: one.script,
    });
    Some(Box::new(wire::ServerTemplate {
        variables: variables.into_iter().map(variable).collect(),
        ready: run.ready,
        config_files: config_files.into_iter().map(config_file).collect(),
        install,
    }))
}

fn config_file(file: model::ConfigFile) -> wire::TemplateFile {
    let setting = |one: model::Setting| wire::TemplateSetting {
        key: one.key,
        when: one.when,
        value: match one.value {
            model::Scalar::Bool(value) => value.into(),
            model::Scalar::Int(value) => value.into(),
            model::Scalar::Float(value) => value.into(),
            model::Scalar::Text(value) => value.into(),
        },
    };
    wire::TemplateFile {
        path: file.path,
        parser: file.parser.name().to_owned(),
        set: file.set.into_iter().map(setting).collect(),
    }
}

/// How the image is run, from the agent's message.
pub fn behaviour_record(behaviour: wire::Behaviour) -> record::Behaviour {
    record::Behaviour {
        user: match behaviour.user {
            wire::ContainerUser::Agent => record::ContainerUser::Agent,
            wire::ContainerUser::Image => record::ContainerUser::Image,
            wire::ContainerUser::Fixed(pair) => record::ContainerUser::Fixed(pair),
        },
        data_path: behaviour.data_path,
        working_dir: behaviour.working_dir,
        read_only_root: behaviour.read_only_root,
        startup_mode: match behaviour.startup_mode {
            wire::StartupMode::Shell => record::StartupMode::Shell,
            wire::StartupMode::Variable => record::StartupMode::Variable,
        },
        stop: match behaviour.stop {
            wire::Stop::Command(line) => record::Stop::Command(line),
            wire::Stop::Signal(name) => record::Stop::Signal(name),
        },
        stop_timeout_secs: behaviour.stop_timeout,
        ready: behaviour.ready,
        restart_after_crash: behaviour.restart_after_crash,
        stop_at_disk_limit: behaviour.stop_at_disk_limit,
        // Agents do not report them. The agent has the image already, so it fits its CPU.
        architectures: Vec::new(),
    }
}

/// A template's parts that an agent keeps, in the native form; what is only needed for choosing a template is not known
/// there. Says what of it nobody could have set.
pub fn template_record(
    name: &str,
    image: &str,
    kept: wire::ServerTemplate,
) -> Result<model::Template, (String, String)> {
    let wire::ServerTemplate { variables, ready, config_files, install } = kept;
    // Who may see and change a variable is not told, so nobody but administrators may.
    let variable = |one: wire::TemplateVariable| model::Variable {
        name: one.name,
        label: one.label,
        default: one.default,
        rules: one.rules,
        omit_empty: one.omit_empty,
        ..model::Variable::default()
    };
    let files = config_files.into_iter().enumerate();
    let template = model::Template {
        template: model::VERSION,
        about: model::About { name: name.to_owned(), ..model::About::default() },
        images: vec![model::Image { label: image.to_owned(), reference: image.to_owned(), local: false }],
        variables: variables.into_iter().map(variable).collect(),
        config_files: files.map(|(at, file)| native_file(at, file)).collect::<Result<_, _>>()?,
        install: install.map(|one| model::Install {
            image: one.image,
            entrypoint: one.entrypoint,
            script: one.script,
        }),
        run: model::Run { ready, ..model::Run::default() },
        ..model::Template::default()
    };
    match model::check(&template).into_iter().next() {
        Some(problem) => Err((problem.key, problem.message)),
        None => Ok(template),
    }
}

fn native_file(at: usize, file: wire::TemplateFile) -> Result<model::ConfigFile, (String, String)> {
    let setting = |one: wire::TemplateSetting| {
        let value = match one.value {
            serde_json::Value::Bool(value) => model::Scalar::Bool(value),
            serde_json::Value::String(text) => model::Scalar::Text(text),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => model::Scalar::Int(whole),
                (None, Some(float)) => model::Scalar::Float(float),
                (None, None) => return None,
            },
            _ => return None,
        };
        Some(model::Setting { key: one.key, when: one.when, value })
    };
    let wrong = |key: &str, message: &str| (format!("config_files.{at}.{key}"), message.to_owned());
    Ok(model::ConfigFile {
        path: file.path,
        parser: model::Parser::named(&file.parser).ok_or_else(|| wrong("parser", "is not known here"))?,
        set: file
            .set
            .into_iter()
            .map(setting)
            .collect::<Option<_>>()
            .ok_or_else(|| wrong("set", "has a value that is no text, number or boolean"))?,
    })
}
