import type { findings as English } from '../en/findings';

const AS_ROOT = ['Frage als root: {1}.'];
const MAKE_ROOM = ['Lösche Server, Welten oder Images, die niemand braucht ({1}), oder verschiebe den Datenordner auf einen größeren Datenträger.', 'Lösche Ordner mit sehr vielen kleinen Dateien.'];
const SYNC = ['Lass sie von einem Zeitserver stellen: {1}.'];

export const findings: typeof English = {
  addresses: { title: 'Adressen' },
  arm_32_bit: {
    title: 'Ein 32-Bit-System',
    detail: 'Kein Prozess kann mehr als 3 GiB Arbeitsspeicher haben, und für arm/v7 gibt es nur wenige Images: für die meisten Spiele der Vorlagen keine.'
  },
  backup_damaged: { title: 'Beschädigte Backups', advice: ['Der Reiter Backups jedes Servers nennt sie. Mache neue Backups und prüfe den Datenträger.'] },
  backup_fails: { title: 'Das tägliche Backup eines Servers schlägt fehl', advice: ['Sieh auf dem Reiter Backups dieses Servers nach. Es wird von selbst wieder versucht.'] },
  backup_kit: { title: 'Notfallpaket nicht gesichert', advice: ['Einstellungen → Backup-Ziele → Notfallpaket. Ohne es sind diese Backups nicht lesbar, wenn das Panel verloren ist.'] },
  backups: { title: 'Backups' },
  backups_more: { title: 'Weitere tägliche Backups schlagen fehl', advice: ['Siehe Server.'] },
  backup_unproved: { title: 'Die Backups eines Servers sind nicht geprüft', advice: ['Sieh auf dem Reiter Backups dieses Servers nach und prüfe ein Backup von Hand. Es wird von selbst wieder versucht.'] },
  bind_loopback: { title: 'Nur dieser Rechner erreicht das Panel', advice: ['Für einen Reverse-Proxy auf diesem Rechner ist das richtig. Für andere: BIND=0.0.0.0 in /etc/default/ctrl-alt-play.'] },
  clock: { title: 'Uhr' },
  clock_behind: { title: 'Die Uhr wurde zurückgestellt', advice: SYNC },
  clock_unset: { title: 'Niemand stellt die Uhr', advice: SYNC },
  clock_wrong: { title: 'Die Uhr geht falsch', advice: SYNC },
  copies: { title: 'Kopien der Datenbank' },
  copies_none: { title: 'Keine Kopie der Datenbank', advice: ['Kopien macht ein Panel, das läuft; eine sofort: {1}.'] },
  copies_old: { title: 'Keine frische Kopie der Datenbank', advice: ['Kopien macht ein Panel, das läuft; eine sofort: {1}.'] },
  cpu_limit_off: {
    title: 'Prozessorgrenzen gelten nicht',
    detail: 'Dieser Kernel hält keine Prozessorgrenzen ein: ein Server kann alle anderen bremsen.',
    advice: ['Nötig ist ein Kernel mit CONFIG_CFS_BANDWIDTH und der cgroup „cpu“: aktualisiere den Kernel des Systems.']
  },
  database: { title: 'Datenbank' },
  database_broken: { title: 'Die Datenbank ist beschädigt', advice: ['Lass sie, wie sie ist, und setze die neueste gute Kopie an ihre Stelle: {1}, {2}, {3}, {4}.'] },
  database_missing: { title: 'Es gibt keine Datenbank', detail: 'Es wurde noch keine angelegt.', advice: ['Sie entsteht beim ersten Start. Gab es schon eine, suche sie, bevor du das Panel startest.'] },
  database_unseen: { title: 'Die Datenbank wurde nicht geprüft', advice: ['Von Hand oder als root: {1}.'] },
  disk_full: { title: 'Der Datenträger ist voll', advice: MAKE_ROOM },
  disk_low: { title: 'Der Datenträger ist fast voll', advice: MAKE_ROOM },
  disk_read_only: { title: 'Der Datenträger ist nur lesbar', advice: ['Oft liegt es an einem defekten Datenträger oder einer defekten Speicherkarte: sieh in {1} nach, sichere, was du kannst, und ersetze ihn.'] },
  disk_slow: {
    title: 'Der Datenträger ist langsam',
    advice: ['Welten werden langsam gespeichert, und das Panel antwortet spät, während Spiele speichern. Eine USB-SSD kostet wenig und ist um ein Vielfaches schneller; meist liegt es an einer langsamen oder alten Speicherkarte.']
  },
  disk_space: { title: 'Speicherplatz' },
  disk_speed: { title: 'Tempo des Datenträgers' },
  disk_speed_unknown: { title: 'Das Tempo des Datenträgers wurde nicht gemessen', advice: ['Schaffe zuerst Platz oder frage als root: {1}.'] },
  dns: { title: 'Namensauflösung', advice: ['Prüfe die Nameserver ({1}, {2}). Was hier ist, läuft weiter; neue Images lassen sich solange nicht laden.'] },
  doctor_failed: { title: 'Die Diagnose ist fehlgeschlagen', advice: ['Das ist ein Fehler des Panels: bitte melde ihn mit dem, was im Log steht.'] },
  engine: { title: 'Container-Engine' },
  engine_forbidden: { title: 'Die Engine darf nicht gefragt werden', advice: ['Nimm den Benutzer des Panels in die Gruppe des Sockets auf (meist {1}): {2}, und starte es neu. Wer in ihr ist, kann root werden.'] },
  engine_missing: { title: 'Es gibt keine Container-Engine', advice: ['Installiere eine (Debian: {1}), oder starte sie: {2}.'] },
  engine_old: { title: 'Die Engine ist zu alt', advice: ['Nötig ist Docker 20.10 (API 1.41) oder neuer: aktualisiere es, auf Debian mit {1}.'] },
  engine_podman: { title: 'Podman', detail: 'Podmans Socket wird wie der von Docker benutzt, gehört aber nicht zu den Tests.', advice: ['Wenn etwas seltsam ist, versuche es mit Docker: {1}.'] },
  engine_rootless: {
    title: 'Die Engine läuft ohne root',
    detail: 'Eine Engine ohne root kann Dateien oft nicht anderen Benutzern geben und Grenzen oft nicht einhalten.',
    advice: ['Nimm die Engine des Systems, wo Grenzen wichtig sind: {1}.']
  },
  engine_stopped: { title: 'Die Engine antwortet nicht', advice: ['Starte sie: {1}; was sie sagt: {2}.'] },
  engine_unavailable: { title: 'Keine Container-Engine antwortet', advice: ['Starte dort die Engine, oder berichtige DOCKER_HOST.', 'Entferne, was an der Stelle ihres Sockets liegt, und starte sie: {1}, {2}.'] },
  engine_vfs: {
    title: 'Images brauchen viel zu viel Platz',
    detail: 'Die Engine speichert mit vfs, das ganze Images kopiert: langsam, und ein Vielfaches des Platzes.',
    advice: ['Lege den Ordner der Engine auf ext4, XFS oder Btrfs und lass sie overlay2 benutzen ({1} zeigt es).']
  },
  entropy_low: { title: 'Wenig Zufall', advice: ['{1} nimmt ihn von der Hardware.'] },
  firewall: { title: 'Firewall', detail: 'Keine Regel gefunden, die andere vom Panel oder von den Spielen fernhält.' },
  firewall_closed: { title: 'Eine Firewall ist im Weg', advice: ['Lass dein Netz herein: {1}.', 'Lass dein Netz herein: {1}, {2}.', 'Lass dein Netz herein: {1}, {2}. Dann {3}.'] },
  firewall_games: {
    title: 'Eine Firewall ist den Spielen im Weg',
    detail: 'Eine Regel der Kette DOCKER-USER verwirft alles, was an Container weitergeleitet wird: niemand erreicht die Spiele.',
    advice: ['Sieh sie dir an ({1}) und lass dein eigenes Netz durch, zum Beispiel mit {2}.']
  },
  firewall_unseen: { title: 'Die Firewall wurde nicht geprüft', detail: 'Ihre Regeln sieht nur root.', advice: ['Auf dem Rechner: {1}.'] },
  folder: { title: 'Datenordner' },
  folder_exposed: { title: 'Der Datenordner ist für andere offen' },
  folder_foreign: { title: 'Dateien gehören einem anderen Benutzer', advice: ['Bei gestopptem Panel: {1}, und dasselbe für {2} und {3} darin. Lass, was unter {4} liegt, wie es ist.'] },
  folder_in_container: { title: 'Die Daten liegen im Container', advice: ['Binde dort einen Ordner des Hosts ein ({1}).'] },
  folder_in_memory: { title: 'Die Daten liegen im Arbeitsspeicher', advice: ['Wähle mit DATA_DIR in /etc/default/ctrl-alt-play einen Ordner auf einem Datenträger, und verschiebe die Daten dorthin.'] },
  folder_missing: { title: 'Es gibt keinen Datenordner', advice: ['Wähle einen Ordner mit DATA_DIR in /etc/default/ctrl-alt-play.', 'Starte das Panel, oder nenne seinen Ordner: {1}.'] },
  folder_noexec: { title: 'Im Datenordner lässt sich nichts ausführen', advice: ['{1}, und nimm noexec aus der Zeile in /etc/fstab.'] },
  folder_on_network: { title: 'Die Daten liegen auf einem Netzlaufwerk', advice: ['Lege den Datenordner auf einen Datenträger dieses Rechners, und Kopien auf das Netzlaufwerk.'] },
  folder_place: { title: 'Wo die Daten liegen' },
  folder_unseen: { title: 'Der Datenordner wurde nicht geprüft', advice: AS_ROOT },
  folder_without_owners: { title: 'Dieses Dateisystem kennt keine Besitzer', advice: ['Nimm einen Datenträger mit ext4, XFS oder Btrfs: DATA_DIR in /etc/default/ctrl-alt-play.'] },
  io_weight_off: { title: 'Gewichte des Datenträgers gelten nicht', advice: ['Es ist nichts zu tun. Ein System mit cgroup v2 und dessen io-Controller hält sie ein.'] },
  kernel: { title: 'Kernel und Stromversorgung' },
  kernel_old: { title: 'Der Kernel ist zu alt', advice: ['Nötig ist Linux 5.6 oder neuer: aktualisiere das System und starte es neu.'] },
  limits: { title: 'Grenzen' },
  mdns_off: { title: 'Das Panel ist nicht unter einem Namen zu finden', advice: ['Nimm stattdessen eine Adresse. MDNS=off in /etc/default/ctrl-alt-play schaltet den Namen aus, „on“ ist die Vorgabe.'] },
  memory: { title: 'Arbeitsspeicher' },
  memory_card: { title: 'Die Daten liegen auf einer Speicherkarte', advice: ['Ein USB-Datenträger hält länger. Bewahre Kopien anderswo auf: {1}, und den Ordner {2}.'] },
  memory_limit_off: {
    title: 'Speichergrenzen gelten nicht',
    detail: 'Dieser Kernel hält keine Speichergrenzen ein: ein Server kann den ganzen Arbeitsspeicher nehmen, und damit den Rechner.',
    advice: ['Füge {1} zur Kommandozeile des Kernels hinzu (Raspberry Pi OS: die eine Zeile in /boot/firmware/cmdline.txt), dann {2}.', 'Füge {1} zur Kommandozeile des Kernels hinzu (GRUB: GRUB_CMDLINE_LINUX in /etc/default/grub, dann {2}), dann {3}.']
  },
  memory_low: { title: 'Der Arbeitsspeicher ist fast aufgebraucht', advice: ['Stoppe einen Server, oder gib Servern weniger Arbeitsspeicher, bevor der Kernel einen beendet.'] },
  memory_promised: { title: 'Mehr Arbeitsspeicher vergeben, als da ist', advice: ['Gib Servern weniger Arbeitsspeicher, oder verschiebe einen auf eine andere Node (seine Einstellungen).'] },
  memory_tight: { title: 'Fast der ganze Arbeitsspeicher ist vergeben', advice: ['Lass ein halbes GiB für das System übrig, wenn alle Server zugleich laufen.'] },
  node_offline: { title: 'Eine Node ist offline', advice: ['Sieh dort nach: {1}; ihre Seite unter Nodes sagt, seit wann.'] },
  node_problem: { title: 'Einer Node geht es nicht gut' },
  nodes: { title: 'Nodes' },
  nodes_more: { title: 'Weiteren Nodes geht es nicht gut', advice: ['Siehe Nodes.'] },
  offline: { title: 'Dieser Rechner hat kein Netz', advice: ['Verbinde ihn mit dem Netz. Was hier ist, läuft weiter; neue Images lassen sich solange nicht laden.'] },
  own_name_unknown: { title: 'Der eigene Name des Panels ist nicht zu finden', advice: ['Berichtige PUBLIC_URL in /etc/default/ctrl-alt-play, oder den Namen bei dem, der ihn verwaltet.'] },
  panel_backup_failed: {
    title: 'Das letzte Backup des Panels ist fehlgeschlagen',
    advice: ['Einstellungen → Backup des Panels. Mache eines von Hand, sobald die Ursache behoben ist.']
  },
  panel_backup_none: {
    title: 'Kein Backup des Panels außerhalb dieses Datenträgers',
    detail: 'Konten, Einstellungen der Server und Schlüssel liegen nur auf dem Datenträger dieses Rechners.',
    advice: ['Einstellungen → Backup des Panels, auf ein Backup-Ziel, das nicht dieser Datenträger ist.']
  },
  panel_backup_old: {
    title: 'Das Backup des Panels ist alt',
    advice: ['Einstellungen → Backup des Panels. Ein tägliches wird von selbst gemacht.']
  },
  panel_stopped: { title: 'Das Panel läuft nicht', detail: 'Kein Panel antwortet auf diesem Datenordner. Spiele laufen ohne es weiter.', advice: ['Starte es: {1}; warum es endete: {2}.'] },
  panel_unseen: { title: 'Das Panel wurde nicht gefragt', advice: ['Frage als root oder als Benutzer des Panels: {1}.'] },
  pids_limit_off: {
    title: 'Prozessgrenzen gelten nicht',
    detail: 'Dieser Kernel begrenzt die Zahl der Prozesse nicht: ein defekter Server kann alle verbrauchen.',
    advice: ['Nötig ist ein Kernel mit CONFIG_CGROUP_PIDS: aktualisiere den Kernel des Systems.']
  },
  port_taken: { title: 'Ein Port ist belegt', advice: ['Beende jenes Programm ({1} zeigt alle), oder wähle in /etc/default/ctrl-alt-play einen anderen Port, dann {2}.'] },
  ports: { title: 'Ports' },
  power_low: { title: 'Zu wenig Spannung', advice: ['Nimm das Netzteil, das für dieses Board gemacht ist, und ein dickes kurzes Kabel; gib USB-Datenträgern eigenen Strom.'] },
  secret_exposed: { title: 'Andere können ein Geheimnis lesen' },
  service: { title: 'Dienst' },
  service_disabled: { title: 'Startet nicht mit dem Rechner' },
  service_missing: { title: 'Das Panel wird von Hand gestartet', advice: ['Installiere es als Dienst: {1}.'] },
  service_old: {
    title: 'Die Datei des Dienstes ist alt',
    detail: 'Die Datei des Dienstes ist von einer älteren Version: ein fehlgeschlagenes Upgrade würde nicht zurückgenommen.',
    advice: ['Installiere ihn neu, Einstellungen und Daten bleiben: {1}.']
  },
  service_outdated: { title: 'Eine andere Version läuft', advice: ['Starte es neu; Spiele laufen weiter: {1}.'] },
  swap_limit_off: {
    title: 'Swap-Grenzen gelten nicht',
    detail: 'Ein Server, der seine Speichergrenze erreicht, macht im Swap ohne Grenze weiter.',
    advice: ['Füge {1} zur Kommandozeile des Kernels hinzu, dann {2}; ohne Swap ist es gleich.']
  },
  swap_none: { title: 'Kein Swap auf einem kleinen Rechner', advice: ['Komprimierter Swap im Arbeitsspeicher hilft und nutzt keine Karte ab: {1}.'] },
  upgrade_reverted: { title: 'Das letzte Upgrade wurde zurückgenommen', advice: ['Nichts ging verloren. Was es sagte: {1}; dann versuche die nächste Version.'] }
};
