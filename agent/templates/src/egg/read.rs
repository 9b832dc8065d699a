//! Reads the top level of an egg.

use super::error::{ImportError, Imported};
use super::reading::{Reading, Version};
use super::warning::{Code, Warnings};
use super::{config, images, legacy, native, variables};
use crate::model::{About, Install, Origin, Startup, Template, check};
use crate::text;
use crate::value::Value;

const KNOWN: [&str; 20] = [
    "_comment",
    "meta",
    "exported_at",
    "name",
    "author",
    "uuid",
    "description",
    "features",
    "tags",
    "docker_images",
    "images",
    "image",
    "icon",
    "file_denylist",
    "startup",
    "startup_commands",
    "config",
    "scripts",
    "variables",
    native::KEY,
];

pub(super) fn template(egg: &Value) -> Result<Imported, ImportError> {
    if egg.entries().is_empty() {
        return Err(ImportError::NotAnEgg(format!("it is {}", egg.kind())));
    }
    let mut warnings = Warnings::default();
    let version = version(egg, &mut warnings)?;
    duplicates(egg, &mut warnings);
    let mut reading = Reading { egg, version, warnings, extras: Value::map() };
    let about = reading.about()?;
    let images = images::images(&mut reading)?;
    let (config_files, run) = config::read(&mut reading);
    let mut template = Template {
        template: crate::model::VERSION,
        about,
        images,
        startup: reading.startup(),
        install: reading.install(),
        config_files,
        run,
        ..Template::default()
    };
    let variables = variables::read(&mut reading)?;
    legacy::rename(&mut template, &variables.renamed);
    template.variables = variables.list;
    template.ports = native::derived_ports(&template.variables);
    native::apply(&mut template, &mut reading);
    reading.keep_unknown();
    template.extras = reading.extras;
    if let Some(problem) = check(&template).into_iter().next() {
        return Err(ImportError::Bad { key: problem.key, message: problem.message });
    }
    Ok(Imported { template, warnings: reading.warnings.0 })
}

fn version(egg: &Value, warnings: &mut Warnings) -> Result<Version, ImportError> {
    let meta = egg.get("meta").and_then(|meta| meta.get("version")).and_then(Value::as_str);
    let Some(name) = meta else {
        return Err(ImportError::NotAnEgg("`meta.version` is missing".into()));
    };
    Ok(match name {
        "PTDL_v1" => Version::Ptdl1,
        "PTDL_v2" => Version::Ptdl2,
        "PLCN_v1" => Version::Plcn1,
        "PLCN_v2" => Version::Plcn2,
        "PLCN_v3" => Version::Plcn3,
        other => {
            let nearest = match other.split('_').next() {
                Some("PTDL") => Version::Ptdl2,
                Some("PLCN") => Version::Plcn3,
                _ => return Err(ImportError::NotAnEgg("`meta.version` is none that is known".into())),
            };
            let said = format!("{} is not known; it was read as {nearest}", text::line(other, 40));
            warnings.add(Code::UnknownVersion, "meta.version", said);
            nearest
        }
    })
}

/// Warns about duplicate keys in a map.
fn duplicates(egg: &Value, warnings: &mut Warnings) {
    let mut waiting = vec![(String::new(), egg)];
    while let Some((path, value)) = waiting.pop() {
        if let Value::List(list) = value {
            waiting.extend(list.iter().enumerate().map(|(index, child)| (format!("{path}{index}."), child)));
        }
        let mut seen = std::collections::BTreeSet::new();
        for (key, child) in value.entries() {
            if !seen.insert(key) {
                warnings.add(
                    Code::DuplicateKey,
                    format!("{path}{key}"),
                    "it stands twice; the last one counts",
                );
            }
            waiting.push((format!("{path}{key}."), child));
        }
    }
}

impl Reading<'_> {
    fn about(&mut self) -> Result<About, ImportError> {
        let egg = self.egg;
        let raw = self.text(egg.get("name"), "name");
        let name = self.line(&raw, "name", 191);
        if name.is_empty() {
            return Err(ImportError::bad("name", "it is missing"));
        }
        let author = self.text(egg.get("author"), "author");
        let description = self.text(egg.get("description"), "description");
        let tags = self.texts(egg.get("tags"), "tags");
        Ok(About {
            name,
            author: self.line(&author, "author", 191),
            description: text::block(&description, 16_384),
            tags: tags
                .iter()
                .map(|tag| text::line(tag, 64))
                .filter(|tag| !tag.is_empty())
                .take(100)
                .collect(),
            icon: self.icon(),
            origin: self.origin(),
            ..About::default()
        })
    }

    fn origin(&mut self) -> Origin {
        let egg = self.egg;
        let meta = egg.get("meta");
        for (key, value) in meta.map(Value::entries).unwrap_or_default() {
            if !["version", "update_url"].contains(&key.as_str()) {
                self.warnings.add(
                    Code::UnknownKey,
                    format!("meta.{key}"),
                    "it means nothing here, and is kept",
                );
                self.keep_at(&["meta", key], value.clone());
            }
        }
        let some = |text: String| Some(text::line(&text, 2_000)).filter(|text| !text.is_empty());
        Origin {
            uuid: some(self.text(egg.get("uuid"), "uuid")),
            format: Some(self.version.to_string()),
            update_url: some(self.text(meta.and_then(|meta| meta.get("update_url")), "meta.update_url")),
            exported_at: some(self.text(egg.get("exported_at"), "exported_at")),
        }
    }

    fn icon(&mut self) -> Option<String> {
        let egg = self.egg;
        let old = egg.get("image").filter(|_| images::image_is_icon(egg, self.version));
        let (key, value) = egg
            .get("icon")
            .filter(|icon| !icon.is_empty())
            .map_or(("image", old), |icon| ("icon", Some(icon)));
        let icon = self.text(value, key);
        if icon.starts_with("data:image/svg") || icon.starts_with("data:text") {
            self.warnings.add(
                Code::IconNotShown,
                key,
                "only pictures of points are shown, and this one can hold programs",
            );
        } else if icon.starts_with("http") {
            self.warnings.add(
                Code::IconNotShown,
                key,
                "it is an address, which is fetched when this file is added by itself",
            );
        }
        Some(icon).filter(|icon| !icon.is_empty())
    }

    fn startup(&mut self) -> Vec<Startup> {
        let egg = self.egg;
        let mut list: Vec<Startup> = Vec::new();
        if let Some(commands) = egg.get("startup_commands") {
            if let Value::List(plain) = commands {
                let one = |(index, value): (usize, &Value)| {
                    value.scalar().map(|command| Startup { name: format!("{}", index + 1), command })
                };
                list.extend(plain.iter().enumerate().filter_map(one));
            }
            for (name, value) in commands.entries() {
                let Some(command) = self.entry("startup_commands", name, value) else { continue };
                list.push(Startup { name: text::line(name, 191), command });
            }
        }
        if list.is_empty() {
            let command = self.text(egg.get("startup"), "startup");
            if !command.is_empty() {
                list.push(Startup { name: "Default".into(), command });
            }
        }
        list
    }

    fn install(&mut self) -> Option<Install> {
        let egg = self.egg;
        let scripts = egg.get("scripts");
        let install = scripts.and_then(|scripts| scripts.get("installation"))?;
        for (key, value) in scripts.map(Value::entries).unwrap_or_default() {
            if key != "installation" {
                self.warnings.add(
                    Code::UnknownKey,
                    format!("scripts.{key}"),
                    "it means nothing here, and is kept",
                );
                self.keep_at(&["scripts", key], value.clone());
            }
        }
        for (key, value) in install.entries() {
            if !["script", "container", "entrypoint"].contains(&key.as_str()) {
                let path = format!("scripts.installation.{key}");
                self.warnings.add(Code::UnknownKey, path, "it means nothing here, and is kept");
                self.keep_at(&["scripts", "installation", key], value.clone());
            }
        }
        let mut take = |key: &str| self.text(install.get(key), &format!("scripts.installation.{key}"));
        // Wings writes the script with `\n` line breaks.
        let script = take("script").replace("\r\n", "\n");
        let found = Install { script, image: take("container"), entrypoint: take("entrypoint") };
        (found != Install::default()).then_some(found)
    }

    fn keep_unknown(&mut self) {
        let egg = self.egg;
        for (key, value) in egg.entries() {
            if !KNOWN.contains(&key.as_str()) {
                self.warnings.add(
                    Code::UnknownKey,
                    key.as_str(),
                    "it means nothing here, and is kept for the export",
                );
                self.keep_at(&[key], value.clone());
            }
        }
        let comment = egg.get("_comment").and_then(Value::as_str).unwrap_or_default();
        if !comment.is_empty() && !comment.starts_with("DO NOT EDIT") {
            self.keep_at(&["_comment"], Value::from(comment));
        }
    }
}
