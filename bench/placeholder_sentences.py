#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints 300 English sentences of user interfaces and their German translations.

Each has one to three parts that a translation must keep as they are:
placeholders, URLs, paths, versions, code, tags. The lines are source<TAB>reference,
as sheaf-eval reads them:

    bench/placeholder_sentences.py > placeholders.tsv
    sheaf-eval --data=placeholders.tsv --from=en --to=de --server=HOST:PORT
"""

import itertools

NUMBER = ["%d", "{count}", "{0}", "%(count)d", "${n}", "{{count}}", "%1$d"]
NAME = ["{name}", "%s", "{{user_name}}", "@octocat", "${USER}", "%(user)s", "{0}"]
FILE = ["%s", "{file}", "config.json", "/etc/hosts", "src/main.cc", "%1$s",
        "C:\\Users\\ann\\notes.txt", "~/.profile", "{{path}}"]
URL = ["https://example.org/find?q=tea&page=2", "www.example.com/help",
       "http://localhost:8080/", "https://docs.example.org/en/v2.html#top", "{url}"]
CODE = ["`git push`", "`make install`", "`--verbose`", "`x = y + 1`", "`NULL`"]
VERSION = ["v1.2.3", "2.0.1", "1.4.0-rc1", "%s", "{version}"]
KEY = [":enter:", "<kbd/>", "{key}", "`Ctrl+C`", "%s"]
MAIL = ["support@example.org", "{email}", "ann.lee@mail.example.com", "%s"]
TAG = ["#release", "#bug-report", "{tag}", "#help"]

# Source, reference, and the kinds of the parts for which [a], [b] and [c] stand.
TEMPLATES = [
    ("You have [a] new messages.", "Sie haben [a] neue Nachrichten.", NUMBER),
    ("[a] of [b] files were copied.", "[a] von [b] Dateien wurden kopiert.", NUMBER, NUMBER),
    ("[a] files were deleted.", "[a] Dateien wurden gelöscht.", NUMBER),
    ("Your password expires in [a] days.", "Ihr Passwort läuft in [a] Tagen ab.", NUMBER),
    ("The download takes about [a] minutes.", "Der Download dauert etwa [a] Minuten.", NUMBER),
    ("The value must be between [a] and [b].", "Der Wert muss zwischen [a] und [b] liegen.", NUMBER, NUMBER),
    ("The list has more than [a] entries.", "Die Liste hat mehr als [a] Einträge.", NUMBER),
    ("Page [a] of [b]", "Seite [a] von [b]", NUMBER, NUMBER),
    ("The connection was closed after [a] seconds.", "Die Verbindung wurde nach [a] Sekunden geschlossen.", NUMBER),
    ("Only [a] users can be logged in at the same time.", "Es können nur [a] Benutzer gleichzeitig angemeldet sein.", NUMBER),
    ("Hello [a], welcome back!", "Hallo [a], willkommen zurück!", NAME),
    ("[a] has sent you a message.", "[a] hat Ihnen eine Nachricht gesendet.", NAME),
    ("Thanks to [a] for this change.", "Vielen Dank an [a] für diese Änderung.", NAME),
    ("The user [a] does not exist.", "Der Benutzer [a] existiert nicht.", NAME),
    ("[a] invited [b] to the group.", "[a] hat [b] zur Gruppe eingeladen.", NAME, NAME),
    ("Do you want to remove [a] from the project?", "Möchten Sie [a] aus dem Projekt entfernen?", NAME),
    ("You are logged in as [a].", "Sie sind als [a] angemeldet.", NAME),
    ("The file [a] could not be opened.", "Die Datei [a] konnte nicht geöffnet werden.", FILE),
    ("The file [a] already exists. Do you want to replace it?", "Die Datei [a] ist bereits vorhanden. Möchten Sie sie ersetzen?", FILE),
    ("Do you want to save the changes to [a] before closing?", "Möchten Sie die Änderungen an [a] vor dem Schließen speichern?", FILE),
    ("Copy [a] to [b].", "Kopieren Sie [a] nach [b].", FILE, FILE),
    ("Open [a] in a text editor.", "Öffnen Sie [a] in einem Texteditor.", FILE),
    ("An error occurred while reading [a].", "Beim Lesen von [a] ist ein Fehler aufgetreten.", FILE),
    ("The settings are stored in [a].", "Die Einstellungen werden in [a] gespeichert.", FILE),
    ("You do not have permission to change [a].", "Sie haben keine Berechtigung, [a] zu ändern.", FILE),
    ("[a] was saved successfully.", "[a] wurde erfolgreich gespeichert.", FILE),
    ("The path [a] is too long.", "Der Pfad [a] ist zu lang.", FILE),
    ("For more information, see [a].", "Weitere Informationen finden Sie unter [a].", URL),
    ("Visit [a] for details.", "Besuchen Sie [a] für Details.", URL),
    ("The server at [a] does not answer.", "Der Server unter [a] antwortet nicht.", URL),
    ("Open the page [a] in your browser.", "Öffnen Sie die Seite [a] in Ihrem Browser.", URL),
    ("Download the latest version from [a].", "Laden Sie die neueste Version von [a] herunter.", URL),
    ("Use [a] to send your changes.", "Verwenden Sie [a], um Ihre Änderungen zu senden.", CODE),
    ("Enter the command [a] in the terminal.", "Geben Sie den Befehl [a] im Terminal ein.", CODE),
    ("The option [a] is not supported.", "Die Option [a] wird nicht unterstützt.", CODE),
    ("If the result is [a], run [b] again.", "Wenn das Ergebnis [a] ist, führen Sie [b] erneut aus.", CODE, CODE),
    ("Version [a] is available.", "Version [a] ist verfügbar.", VERSION),
    ("This program needs version [a] or later.", "Dieses Programm benötigt Version [a] oder höher.", VERSION),
    ("The update from [a] to [b] failed.", "Das Update von [a] auf [b] ist fehlgeschlagen.", VERSION, VERSION),
    ("Install version [a] of the driver.", "Installieren Sie Version [a] des Treibers.", VERSION),
    ("Press [a] to continue.", "Drücken Sie [a], um fortzufahren.", KEY),
    ("Press [a] to leave the editor.", "Drücken Sie [a], um den Editor zu verlassen.", KEY),
    ("Click [a] to start the program.", "Klicken Sie auf [a], um das Programm zu starten.", KEY),
    ("Send an e-mail to [a] if you need help.", "Senden Sie eine E-Mail an [a], wenn Sie Hilfe benötigen.", MAIL),
    ("We have sent a link to [a].", "Wir haben einen Link an [a] gesendet.", MAIL),
    ("The address [a] is not valid.", "Die Adresse [a] ist ungültig.", MAIL),
    ("Add the tag [a] to your message.", "Fügen Sie Ihrer Nachricht das Tag [a] hinzu.", TAG),
    ("All messages with [a] are shown.", "Alle Nachrichten mit [a] werden angezeigt.", TAG),
    ("[a] has changed [b] lines in [c].", "[a] hat [b] Zeilen in [c] geändert.", NAME, NUMBER, FILE),
    ("Error [a] in line [b] of [c].", "Fehler [a] in Zeile [b] von [c].", NUMBER, NUMBER, FILE),
    ("[a], you can find version [b] at [c].", "[a], Sie finden Version [b] unter [c].", NAME, VERSION, URL),
    ("Run [a] in [b] and press [c].", "Führen Sie [a] in [b] aus und drücken Sie [c].", CODE, FILE, KEY),
    ("Click <b>Save</b> to store [a].", "Klicken Sie auf <b>Speichern</b>, um [a] zu speichern.", FILE),
    ("See [the guide]([a]) for help.", "Hilfe finden Sie in [der Anleitung]([a]).", URL),
    ("The first line is empty.\\nThe second line has [a] words.", "Die erste Zeile ist leer.\\nDie zweite Zeile hat [a] Wörter.", NUMBER),
    ("The folder [a] has [b] files and needs [c] bytes.", "Der Ordner [a] enthält [b] Dateien und benötigt [c] Bytes.", FILE, NUMBER, NUMBER),
    ("The printer [a] is out of paper.", "Der Drucker [a] hat kein Papier mehr.", NAME),
    ("Please enter a name for the folder [a].", "Bitte geben Sie einen Namen für den Ordner [a] ein.", FILE),
    ("The user [a] has no access to [b].", "Der Benutzer [a] hat keinen Zugriff auf [b].", NAME, FILE),
    ("The test [a] failed after [b] seconds.", "Der Test [a] ist nach [b] Sekunden fehlgeschlagen.", CODE, NUMBER),
]
NUM_SENTENCES = 300


def fill(template, turn):
    """The pair of a template with the turn-th parts of its kinds, all different."""
    source, reference, *kinds = template
    chosen = []
    for slot, kind in zip("abc", kinds):
        parts = itertools.islice(itertools.cycle(kind), turn, None)
        part = next(p for p in parts if p not in chosen)
        chosen.append(part)
        source = source.replace(f"[{slot}]", part)
        reference = reference.replace(f"[{slot}]", part)
    return source, reference


def main():
    pairs = []
    for turn in itertools.count():
        for template in TEMPLATES:
            pair = fill(template, turn)
            if pair not in pairs:
                pairs.append(pair)
            if len(pairs) == NUM_SENTENCES:
                print("\n".join("\t".join(pair) for pair in pairs))
                return


if __name__ == "__main__":
    main()
