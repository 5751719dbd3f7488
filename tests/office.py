"""A project with rules of several kinds and people, for the pages of the console about them."""

OFFICE = {
    "wbox-notify.yaml": "version: 1\ndefaults: {tz: Europe/Istanbul}\nowner: ayse\n",
    "rules/people.yaml": """\
version: 1
contacts:
  ayse: {phone: "+905551112233", name: Ayşe Yılmaz, quiet_hours: [Mon-Fri 22:00-07:30, Sat], tags: ops}
  mehmet: {phone: "+905552223344", tz: Europe/Berlin, lang: de}
groups:
  office: [duty, mehmet]
on_call:
  duty: {rotate: [ayse, mehmet], every: 2d, from: "2026-01-05 09:00"}
""",
    "rules/disk.yaml": """\
version: 1
rules:
  # Somebody has to look.
  - id: disk
    name: Disks that are full
    # secret: s3cret-token-4711-abcdefgh
    trigger: {webhook: {path: disk, open: true}}
    if: body.used >= 90
    quiet_hours: ignore
    to: duty
    send:
      text: "{{ body.disk }}: {{ body.used }} % #full"
    tests:
      - name: a full disk is told
        when: {webhook: {body: {disk: /var, used: 91}}}
        expect: {text: "/var: 91 % #full"}
      - name: a wrong test
        when: {webhook: {body: {disk: /var, used: 91}}}
        expect: {text: all is well}
""",
    "rules/files.yaml": """\
version: 1
rules:
  - id: invoice
    name: Invoices
    trigger: {file: {path: drop, match: "*.pdf"}}
    to: mehmet
    send: {text: "{{ file.name }} {{ file.size }} {{ file.text | length }}"}
  - id: evening
    name: What came in a day
    trigger: {webhook: {path: evening, open: true}}
    digest: {at: "18:00"}
    to: ayse
    send: {text: "{{ events | length }} came"}
  - id: morning
    trigger: {schedule: {at: hafta içi 09:00}}
    to: "+905553334455"
    send: {text: "Good morning, it is {{ schedule.at | time }}"}
  - id: asked
    trigger: {webhook: {path: asked, open: true}}
    to: ayse
    send: {text: "page {{ query.page }}"}
""",
}
