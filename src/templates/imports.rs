//! Imports templates by link or from a ZIP archive, previews what a newer file would change, and makes copies and
//! edits.

use ::templates::egg::{self, Imported, Warning};
use ::templates::model::{self, MAX_BYTES};

use super::archive::{self, Unpacker};
use super::catalog::{self, Added, Draft, MOST, Templates};
use super::difference::{self, Change};
use super::icon;
use crate::auth::Admin;
use crate::error::{ApiError, Code};
use crate::net::fetch::{FetchError, SafeFetcher};
use crate::revision::{self, Expected};

/// Fetches and adds templates. Cheap to clone.
#[derive(Clone)]
pub struct Imports {
    templates: Templates,
    fetcher: SafeFetcher,
}

/// Result for one file of an archive.
#[derive(Debug)]
pub(super) struct ImportedFile {
    pub(super) file: String,
    pub(super) outcome: Result<Added, ApiError>,
}

/// What importing a file would change.
#[derive(Debug)]
pub(super) struct Preview {
    /// Name of the template in the file.
    pub(super) name: String,
    /// Id of the template that it would replace; absent if it would be new.
    pub(super) existing: Option<String>,
    pub(super) changes: Vec<Change>,
    pub(super) warnings: Vec<Warning>,
}

impl Imports {
    /// Creates the handle.
    pub fn new(templates: Templates, fetcher: SafeFetcher) -> Self {
        Self { templates, fetcher }
    }

    /// Fetches a link and adds the template.
    pub async fn add_url(&self, admin: &Admin, url: &str) -> Result<Added, ApiError> {
        let document = self.fetch(url).await?;
        self.add(admin, document, None).await
    }

    /// Adds an egg or a template in the native form, with the icon that it names by an address. Replaces the added one
    /// with the same uuid; without a uuid, the one with the id `earlier`.
    pub async fn add(
        &self,
        admin: &Admin,
        document: Vec<u8>,
        earlier: Option<String>,
    ) -> Result<Added, ApiError> {
        let mut imported = read_aside(document).await?;
        self.fetch_icon(&mut imported).await;
        self.templates.add(admin, imported, earlier).await
    }

    /// Adds the template at a link that was added from there before, under the id `earlier`.
    pub async fn add_again(
        &self,
        admin: &Admin,
        url: &str,
        earlier: Option<String>,
    ) -> Result<Added, ApiError> {
        let document = self.fetch(url).await?;
        self.add(admin, document, earlier).await
    }

    /// Replaces an icon's address by the picture there. If there is none that can be shown, that is a warning.
    async fn fetch_icon(&self, imported: &mut Imported) {
        let icon = &mut imported.template.about.icon;
        let Some(address) = icon.as_deref().filter(|icon| icon.starts_with("http")) else { return };
        let picture = match self.fetcher.get(&raw_address(address), icon::MOST_BYTES as u64).await {
            Ok(bytes) => icon::small(bytes).await.map_err(|error| error.message().to_owned()),
            Err(error) => Err(format!("the address of the picture {error}")),
        };
        imported.warnings.retain(|warning| warning.code != egg::Code::IconNotShown);
        match picture {
            Ok(png) => *icon = Some(icon::address_of(&png)),
            Err(message) => {
                let (code, key) = (egg::Code::IconNotShown, "icon".to_owned());
                imported.warnings.push(Warning { code, key, message });
            }
        }
    }

    /// The state of the template at a link; see [`Self::state_of`].
    pub async fn state_at(&self, url: &str) -> Result<String, ApiError> {
        let document = self.fetch(url).await?;
        Ok(state(&read_aside(document).await?.template))
    }

    /// Previews the import of the template at a link.
    pub(super) async fn preview_url(&self, url: &str) -> Result<Preview, ApiError> {
        let document = self.fetch(url).await?;
        self.preview(document).await
    }

    async fn fetch(&self, url: &str) -> Result<Vec<u8>, ApiError> {
        let document = self
            .fetcher
            .get(&raw_address(url), MAX_BYTES as u64)
            .await
            .map_err(|error| fetch_refusal(&error))?;
        if document.starts_with(b"PK\x03\x04") {
            let problem = "leads to an archive: upload it, or add it as a source";
            return Err(ApiError::field("url", problem));
        }
        Ok(document)
    }

    /// Previews the import of a file.
    pub(super) async fn preview(&self, document: Vec<u8>) -> Result<Preview, ApiError> {
        let Imported { template, warnings } = read_aside(document).await?;
        let existing = self.templates.of_uuid(template.about.origin.uuid.as_deref());
        let present = existing.as_deref().map(|id| self.templates.native(id)).transpose()?.flatten();
        let changes = present.map(|present| difference::between(&present, &template)).unwrap_or_default();
        Ok(Preview { name: template.about.name, existing, changes, warnings })
    }

    /// Adds all templates of a ZIP archive in one write; returns the result for each file that may be a template.
    pub(super) async fn add_archive(
        &self,
        admin: &Admin,
        bytes: Vec<u8>,
    ) -> Result<Vec<ImportedFile>, ApiError> {
        let read = tokio::task::spawn_blocking(move || read_archive(&bytes)).await;
        let files = read.map_err(|cause| ApiError::internal("reading an archive", &cause))??;
        let (mut drafts, mut read) = (Vec::new(), Vec::new());
        for (file, outcome) in files {
            match outcome {
                Ok((draft, warnings)) => {
                    drafts.push(draft);
                    read.push((file, Ok(warnings)));
                }
                Err(error) => read.push((file, Err(error))),
            }
        }
        let this = self.templates.clone();
        let mut put = self.templates.whole(async move { this.put_all(drafts).await }).await?.into_iter();
        let mut imported = Vec::new();
        for (file, outcome) in read {
            let outcome = outcome.and_then(|warnings| {
                let record = put.next().unwrap_or_else(|| Err(ApiError::not_found("template")))?;
                Ok(Added { id: record.id, name: record.name, warnings })
            });
            imported.push(ImportedFile { file, outcome });
        }
        let added = imported.iter().filter(|one| one.outcome.is_ok()).count();
        tracing::info!(added, files = imported.len(), by = %admin, "templates added from an archive");
        Ok(imported)
    }

    /// Id and state of the template with this uuid; `None` if it has not been added.
    pub fn state_of(&self, uuid: Option<&str>) -> Result<Option<(String, String)>, ApiError> {
        let Some(id) = self.templates.of_uuid(uuid) else { return Ok(None) };
        Ok(self.state_by_id(&id)?.map(|state| (id, state)))
    }

    /// State of the added template with this id; `None` if it is gone.
    pub fn state_by_id(&self, id: &str) -> Result<Option<String>, ApiError> {
        Ok(self.templates.native(id)?.map(|native| state(&native)))
    }

    /// Adds a copy of an added template under a new uuid.
    pub(super) async fn duplicate(&self, admin: &Admin, id: &str) -> Result<Added, ApiError> {
        let mut template = self.templates.native(id)?.ok_or_else(|| ApiError::not_found("template"))?;
        template.about.name.push_str(" (copy)");
        template.about.origin.uuid = None;
        template.about.origin.update_url = None;
        let draft = Draft::of(template)?;
        let this = self.templates.clone();
        let record = self.templates.whole(async move { this.put(draft).await }).await?;
        tracing::info!(template = id, copy = record.id, by = %admin, "template copied");
        Ok(Added { id: record.id, name: record.name, warnings: Vec::new() })
    }

    /// Replaces an added template by an edited version in the native form.
    pub(super) async fn edit(
        &self,
        admin: &Admin,
        id: &str,
        document: Vec<u8>,
        expected: Expected,
    ) -> Result<Added, ApiError> {
        if self.templates.is_builtin(id) {
            let sentence = "This template is part of the program. Duplicate it, then edit the copy.";
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        let read = tokio::task::spawn_blocking(move || catalog::read_native(&document)).await;
        let template: model::Template =
            read.map_err(|cause| ApiError::internal("reading a template", &cause))??;
        let draft = Draft::of(template)?;
        let (this, key) = (self.templates.clone(), id.to_owned());
        let record = self.templates.whole(async move { this.replace(&key, draft, &expected).await }).await?;
        tracing::info!(template = id, by = %admin, "template edited");
        Ok(Added { id: record.id, name: record.name, warnings: Vec::new() })
    }
}

/// A template in an archive.
pub struct ArchivedTemplate {
    /// Its path in the archive, for display.
    pub file: String,
    /// Display name.
    pub name: String,
    /// Description of a few sentences.
    pub description: String,
    /// The egg's uuid; absent if it has none.
    pub uuid: Option<String>,
    /// Hash of the template's content.
    pub state: String,
    /// The file's content.
    pub document: String,
}

/// All templates of an archive, ordered by file name. Other files are skipped.
pub fn templates_in(bytes: &[u8]) -> Result<Vec<ArchivedTemplate>, ApiError> {
    let unreadable =
        |error: &dyn std::error::Error| ApiError::field("url", format!("cannot be read: {error}"));
    let mut entries = archive::entries(bytes).map_err(|error| unreadable(&error))?;
    entries.retain(|entry| could_be_template(&entry.name));
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let (mut unpacker, mut found) = (Unpacker::default(), Vec::new());
    for entry in entries {
        let Ok(document) = unpacker.read(&entry, MAX_BYTES) else { continue };
        let Ok(Imported { template, .. }) = catalog::read(&document) else { continue };
        let Ok(document) = String::from_utf8(document) else { continue };
        found.push(ArchivedTemplate {
            state: state(&template),
            file: entry.name,
            name: template.about.name,
            description: template.about.description,
            uuid: template.about.origin.uuid,
            document,
        });
    }
    Ok(found)
}

async fn read_aside(document: Vec<u8>) -> Result<Imported, ApiError> {
    let read = tokio::task::spawn_blocking(move || catalog::read(&document)).await;
    read.map_err(|cause| ApiError::internal("reading a template", &cause))?
}

/// A hash of the template's content, independent of its file, of when that was written, and of its icon, which may be
/// fetched or chosen here.
fn state(template: &model::Template) -> String {
    let mut template = template.clone();
    template.about.icon = None;
    template.about.origin.exported_at = None;
    template.about.origin.format = None;
    revision::of(&[&serde_json::to_string(&template).unwrap_or_default()])
}

type Read = (String, Result<(Draft, Vec<Warning>), ApiError>);

/// The files of an archive that may be templates, ordered by name.
fn read_archive(bytes: &[u8]) -> Result<Vec<Read>, ApiError> {
    let unreadable = |error: &dyn std::error::Error| ApiError::new(Code::BadRequest, format!("{error}."));
    let mut entries = archive::entries(bytes).map_err(|error| unreadable(&error))?;
    entries.retain(|entry| could_be_template(&entry.name));
    if entries.len() > MOST {
        let sentence = format!("This archive has more than {MOST} files that could be templates.");
        return Err(ApiError::new(Code::TooLarge, sentence));
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let mut unpacker = Unpacker::default();
    let read = entries.iter().map(|entry| {
        let outcome =
            unpacker.read(entry, MAX_BYTES).map_err(|error| unreadable(&error)).and_then(|document| {
                let Imported { template, warnings } = catalog::read(&document)?;
                Ok((Draft::of(template)?, warnings))
            });
        (entry.name.clone(), outcome)
    });
    Ok(read.collect())
}

/// Whether a file may be a template, judging by its name.
fn could_be_template(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let ending = [".json", ".yaml", ".yml"].iter().any(|ending| name.ends_with(ending));
    ending
        && !path.split('/').any(|part| part.starts_with('.') && part != "..")
        && !path.starts_with("__MACOSX/")
}

/// The URL of the raw file, for the URL of a page that shows it.
pub(super) fn raw_address(url: &str) -> String {
    let url = url.trim();
    let page = url.strip_prefix("https://github.com/").and_then(|path| {
        let mut parts = path.splitn(4, '/');
        let (owner, name, kind, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        (kind == "blob").then(|| format!("https://raw.githubusercontent.com/{owner}/{name}/{rest}"))
    });
    page.unwrap_or_else(|| url.to_owned())
}

/// Converts the error of a fetch to an error of the field with the URL.
pub fn fetch_refusal(error: &FetchError) -> ApiError {
    match error {
        FetchError::Ending => ApiError::new(Code::Busy, format!("The link {error}.")),
        FetchError::Authorities(cause) => ApiError::internal("reading the authorities", cause),
        error => ApiError::field("url", error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::archive::tests::zip;
    use super::*;

    #[test]
    fn links_to_pages_lead_to_files() {
        assert_eq!(
            raw_address(" https://github.com/o/r/blob/main/a/egg.json"),
            "https://raw.githubusercontent.com/o/r/main/a/egg.json"
        );
        for same in ["https://github.com/o/r/releases/egg.json", "https://example.org/o/r/blob/x/y"] {
            assert_eq!(raw_address(same), same);
        }
    }

    #[test]
    fn an_archive_tells_of_each_file() {
        let egg = br#"{"meta": {"version": "PTDL_v2"}, "name": "T", "docker_images": {"a": "a/b:c"}, "startup": "run",
            "config": {"stop": "stop", "startup": "{}", "files": "{}"}, "variables": []}"#;
        let files: [(&str, &[u8]); 5] = [
            ("r/README.md", b"# hello"),
            ("r/egg-t.json", egg),
            ("r/package.json", b"{\"name\": \"x\"}"),
            ("r/.github/a.yml", b"on: push"),
            ("__MACOSX/r/egg-t.json", b"x"),
        ];
        let read = read_archive(&zip(&files)).unwrap();
        let told: Vec<_> = read.iter().map(|(file, outcome)| (file.as_str(), outcome.is_ok())).collect();
        assert_eq!(told, [("r/egg-t.json", true), ("r/package.json", false)]);
        assert!(read_archive(b"no archive").is_err());
    }
}
