BEGIN TRANSACTION;
CREATE TABLE attempt (
        delivery_id bigint not null,
        number integer not null,
        started double precision not null,
        latency double precision,
        outcome text,
        status integer,
        detail text,
        primary key (delivery_id, number)
    );
INSERT INTO "attempt" VALUES(1,1,1.79605031655509233472e+09,0.0302088350001668,'sent',200,'Message sent successfully');
INSERT INTO "attempt" VALUES(2,1,1.79605031674177074429e+09,1.8102354000120612909e-02,'sent',200,'Message sent successfully');
INSERT INTO "attempt" VALUES(3,1,1.79605033477180337907e+09,2.16133300000365125015e-03,'not sent',NULL,'wbox could not be reached: Connection refused');
CREATE TABLE circuit (
        device text primary key,
        reason text not null,
        since double precision not null,
        until double precision not null,
        probes integer not null
    , trying integer not null default 0, told integer not null default 0);
INSERT INTO "circuit" VALUES('*','not sent',1.79605033483720254901e+09,1.79605034983759331707e+09,1,0,0);
CREATE TABLE decision (
        seq integer primary key,
        event_id text not null,
        rule text not null,
        stage text not null,
        outcome text not null,
        detail text not null,
        at double precision not null
    );
INSERT INTO "decision" VALUES(1,'file:fe920947f128f1a8f56a93a28a60ebb1','invoice','send','passed','1 message',1.79605031653177094454e+09);
INSERT INTO "decision" VALUES(2,'webhook:order:d5fe6220-b400-465d-9d00-1ecb905672de','order','send','passed','1 message',1.79605031656337594983e+09);
INSERT INTO "decision" VALUES(3,'webhook:alarm:72ecfb35-c571-427b-8a43-bfbb55ed9279','alarm','group','waits','in group ["db"], which speaks in 3600 s',1.79605031671303963665e+09);
INSERT INTO "decision" VALUES(4,'webhook:alarm:2deb6244-2c31-434d-b282-e16a1f98c3b7','alarm','group','waits','in group ["db"], which speaks in 3600 s',1.79605031675883603098e+09);
INSERT INTO "decision" VALUES(5,'webhook:alarm:83ae5488-617b-4d43-85c9-3ef466167008','alarm','group','waits','in group ["web"], which speaks in 3600 s',1.79605031679300332064e+09);
INSERT INTO "decision" VALUES(6,'webhook:report:c0db7a48-bcef-492b-9373-e73b585aa62f','report','digest','waits','number 1 in the digest for ayse',1.79605031681907677653e+09);
INSERT INTO "decision" VALUES(7,'webhook:report:bf1bb1b0-f5a9-463c-9974-1f72ad7ffe68','report','digest','waits','number 2 in the digest for ayse',1.79605031695991015439e+09);
INSERT INTO "decision" VALUES(8,'file:bde1bf15f745da9503baec55bdeadfeb','invoice','send','passed','1 message',1.79605033470349097256e+09);
INSERT INTO "decision" VALUES(9,'webhook:order:83285eed-6ab5-4d94-a436-63f2df7d48bc','order','send','passed','1 message',1.79605033491213369372e+09);
CREATE TABLE delivery (
        id integer primary key,
        key text not null unique,
        event_id text not null,
        rule text not null,
        device text not null,
        recipient text not null,
        message text,
        state text not null,
        due double precision not null,
        created double precision not null,
        expires double precision not null,
        changed double precision not null,
        claims integer not null default 0,
        tries integer not null default 0,
        unknowns integer not null default 0,
        reason text not null default ''
    , priority integer not null default 0, lifetime double precision not null default 86400, on_unknown text, failures integer not null default 0, same text not null default '');
INSERT INTO "delivery" VALUES(1,'file:fe920947f128f1a8f56a93a28a60ebb1:0:invoice:0:905551112233','file:fe920947f128f1a8f56a93a28a60ebb1','invoice','','905551112233','{"kind": "text", "phone": "905551112233", "device_id": null, "message": "invoice one.txt"}','sent',1.79605031672830867768e+09,1.79605031653177094454e+09,1.79613671653177094456e+09,1.7960503167284793854e+09,1,1,0,'Message sent successfully',0,86400.0,NULL,0,'e6c7cb108180d718e238b45b16fb80770899c412d6c27ab816eb226a2541fde1');
INSERT INTO "delivery" VALUES(2,'webhook:order:d5fe6220-b400-465d-9d00-1ecb905672de:0:order:0:905551112233','webhook:order:d5fe6220-b400-465d-9d00-1ecb905672de','order','','905551112233','{"kind": "text", "phone": "905551112233", "device_id": null, "message": "order 1"}','sent',1.79605031677178788186e+09,1.79605031656337594983e+09,1.79613671656337594989e+09,1.79605031677190852168e+09,1,1,0,'Message sent successfully',0,86400.0,NULL,0,'f3d6f0d55b053fdeb0116c2eaffd74e9113b2fd19d7d0675fd8c87a430993b8d');
INSERT INTO "delivery" VALUES(3,'file:bde1bf15f745da9503baec55bdeadfeb:0:invoice:0:905551112233','file:bde1bf15f745da9503baec55bdeadfeb','invoice','','905551112233','{"kind": "text", "phone": "905551112233", "device_id": null, "message": "invoice two.txt"}','queued',1.79605033782905769345e+09,1.79605033470349097256e+09,1.79613673470349097249e+09,1.79605033489574241641e+09,1,1,0,'wbox could not be reached: Connection refused',0,86400.0,NULL,0,'a24bbe03a177095917c50c85ddec44fd98937715e493ece63bd688972d15a6ec');
INSERT INTO "delivery" VALUES(4,'webhook:order:83285eed-6ab5-4d94-a436-63f2df7d48bc:0:order:0:905551112233','webhook:order:83285eed-6ab5-4d94-a436-63f2df7d48bc','order','','905551112233','{"kind": "text", "phone": "905551112233", "device_id": null, "message": "order 2"}','queued',1.79605033491213369372e+09,1.79605033491213369372e+09,1.79613673491213369365e+09,1.79605033491213369372e+09,0,0,0,'',0,86400.0,NULL,0,'ace060e67b31ec53be9dbbd016a9e5b686031b21a50b01c7b79ed10a6b56d6b2');
CREATE TABLE event (
        seq integer primary key,
        id text not null unique,
        type text not null,
        at double precision not null,
        data text not null,
        received double precision not null,
        planned double precision
    );
INSERT INTO "event" VALUES(1,'file:fe920947f128f1a8f56a93a28a60ebb1','file',1.79605031646588611604e+09,'{"path": "/srv/shop/drop/one.txt", "name": "one.txt", "stem": "one", "ext": ".txt", "folder": "/srv/shop/drop", "size": 4, "mtime": 1796050316.39962, "sha256": "2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806"}',1.79605031646604442591e+09,1.79605031653177094454e+09);
INSERT INTO "event" VALUES(2,'webhook:order:d5fe6220-b400-465d-9d00-1ecb905672de','webhook',1.79605031655296492579e+09,'{"method": "POST", "path": "order", "query": {}, "body": {"no": 1}, "headers": {"user-agent": "curl/7.88.1", "content-type": "application/json"}}',1.79605031655306029321e+09,1.79605031656337594983e+09);
INSERT INTO "event" VALUES(3,'webhook:alarm:72ecfb35-c571-427b-8a43-bfbb55ed9279','webhook',1796050316.68972,'{"method": "POST", "path": "alarm", "query": {}, "body": {"host": "db", "n": 11253}, "headers": {"user-agent": "curl/7.88.1", "content-type": "application/json"}}',1.79605031668976950647e+09,1.79605031671303963665e+09);
INSERT INTO "event" VALUES(4,'webhook:alarm:2deb6244-2c31-434d-b282-e16a1f98c3b7','webhook',1796050316.74826,'{"method": "POST", "path": "alarm", "query": {}, "body": {"host": "db", "n": 10562}, "headers": {"user-agent": "curl/7.88.1", "content-type": "application/json"}}',1.79605031674831366536e+09,1.79605031675883603098e+09);
INSERT INTO "event" VALUES(5,'webhook:alarm:83ae5488-617b-4d43-85c9-3ef466167008','webhook',1796050316.78507,'{"method": "POST", "path": "alarm", "query": {}, "body": {"host": "web", "n": 31232}, "headers": {"user-agent": "curl/7.88.1", "content-type": "application/json"}}',1.79605031678512477876e+09,1.79605031679300332064e+09);
INSERT INTO "event" VALUES(6,'webhook:report:c0db7a48-bcef-492b-9373-e73b585aa62f','webhook',1796050316.81312,'{"method": "POST", "path": "report", "query": {}, "body": {"n": 1}, "headers": {"user-agent": "curl/7.88.1", "content-type": "application/json"}}',1.79605031681317639348e+09,1.79605031681907677653e+09);
INSERT INTO "event" VALUES(7,'webhook:report:bf1bb1b0-f5a9-463c-9974-1f72ad7ffe68','webhook',1.79605031694192409513e+09,'{"method": "POST", "path": "report", "query": {}, "body": {"n": 2}, "headers": {"user-agent": "curl/7.88.1", "content-type": "application/json"}}',1796050316.94197,1.79605031695991015439e+09);
INSERT INTO "event" VALUES(8,'file:bde1bf15f745da9503baec55bdeadfeb','file',1.79605033468326711655e+09,'{"path": "/srv/shop/drop/two.txt", "name": "two.txt", "stem": "two", "ext": ".txt", "folder": "/srv/shop/drop", "size": 4, "mtime": 1796050334.6517024, "sha256": "27dd8ed44a83ff94d557f9fd0412ed5a8cbca69ea04922d88c01184a07300a5a"}',1.79605033469571042066e+09,1.79605033470349097256e+09);
INSERT INTO "event" VALUES(9,'webhook:order:83285eed-6ab5-4d94-a436-63f2df7d48bc','webhook',1.79605033478885698318e+09,'{"method": "POST", "path": "order", "query": {}, "body": {"no": 2}, "headers": {"user-agent": "curl/7.88.1", "content-type": "application/json"}}',1.79605033478891205791e+09,1.79605033491213369372e+09);
CREATE TABLE file (
        seq integer primary key,
        event_id text not null unique,
        path bytea,
        root bytea,
        device bigint,
        inode bigint,
        size bigint,
        mtime_ns text,
        fate text not null,
        detail text not null default '',
        changed double precision not null,
        looked double precision not null,
        gone double precision
    );
INSERT INTO "file" VALUES(1,'file:fe920947f128f1a8f56a93a28a60ebb1',X'2F7372762F73686F702F64726F702F6F6E652E747874',X'2F7372762F73686F702F64726F70',65024,1491303,4,'1796050316399620011','seen','',1.79605031646604442591e+09,1.79605031646604442591e+09,NULL);
INSERT INTO "file" VALUES(2,'file:bde1bf15f745da9503baec55bdeadfeb',X'2F7372762F73686F702F64726F702F74776F2E747874',X'2F7372762F73686F702F64726F70',65024,1491313,4,'1796050334651702457','seen','',1.79605033469571042066e+09,1.79605033469571042066e+09,NULL);
CREATE TABLE memory (
        rule text not null,
        kind text not null,
        key text not null,
        value text not null, due double precision,
        primary key (rule, kind, key)
    );
INSERT INTO "memory" VALUES('invoice','dedupe','["2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806"]','{"event": "file:fe920947f128f1a8f56a93a28a60ebb1", "place": 0, "at": 1796050316.531771}',NULL);
INSERT INTO "memory" VALUES('alarm','group','["db"]','{"opened": "webhook:alarm:72ecfb35-c571-427b-8a43-bfbb55ed9279", "since": 1796050316.71304, "items": {"webhook:alarm:72ecfb35-c571-427b-8a43-bfbb55ed9279:0": {"event_id": "webhook:alarm:72ecfb35-c571-427b-8a43-bfbb55ed9279", "type": "webhook", "at": 1796050316.68972, "data": {"body": {"host": "db", "n": 11253}, "headers": {"user-agent": "curl/7.88.1", "content-type": "application/json"}, "query": {}}, "key": null, "status": null, "place": 0}, "webhook:alarm:2deb6244-2c31-434d-b282-e16a1f98c3b7:0": {"event_id": "webhook:alarm:2deb6244-2c31-434d-b282-e16a1f98c3b7", "type": "webhook", "at": 1796050316.74826, "data": {"body": {"host": "db", "n": 10562}, "headers": {"user-agent": "curl/7.88.1", "content-type": "application/json"}, "query": {}}, "key": null, "status": null, "place": 0}}, "told": null, "last": null, "spoken": 0, "due": 1796053916.71304}',1796053916.71304);
INSERT INTO "memory" VALUES('alarm','group','["web"]','{"opened": "webhook:alarm:83ae5488-617b-4d43-85c9-3ef466167008", "since": 1796050316.793003, "items": {"webhook:alarm:83ae5488-617b-4d43-85c9-3ef466167008:0": {"event_id": "webhook:alarm:83ae5488-617b-4d43-85c9-3ef466167008", "type": "webhook", "at": 1796050316.78507, "data": {"body": {"host": "web", "n": 31232}, "headers": {"user-agent": "curl/7.88.1", "content-type": "application/json"}, "query": {}}, "key": null, "status": null, "place": 0}}, "told": null, "last": null, "spoken": 0, "due": 1796053916.793003}',1.79605391679300308224e+09);
INSERT INTO "memory" VALUES('report','digest','905551112233','{"subjects": [{"event_id": "webhook:report:c0db7a48-bcef-492b-9373-e73b585aa62f", "type": "webhook", "at": 1796050316.81312, "data": {"body": {"n": 1}, "headers": {"user-agent": "curl/7.88.1", "content-type": "application/json"}, "query": {}}, "key": null, "status": null, "place": 0}, {"event_id": "webhook:report:bf1bb1b0-f5a9-463c-9974-1f72ad7ffe68", "type": "webhook", "at": 1796050316.941924, "data": {"body": {"n": 2}, "headers": {"user-agent": "curl/7.88.1", "content-type": "application/json"}, "query": {}}, "key": null, "status": null, "place": 0}], "due": 1796061600.0}',1796061600.0);
INSERT INTO "memory" VALUES('invoice','dedupe','["27dd8ed44a83ff94d557f9fd0412ed5a8cbca69ea04922d88c01184a07300a5a"]','{"event": "file:bde1bf15f745da9503baec55bdeadfeb", "place": 0, "at": 1796050334.703491}',NULL);
CREATE TABLE schema_version (version integer not null);
INSERT INTO "schema_version" VALUES(1);
INSERT INTO "schema_version" VALUES(2);
INSERT INTO "schema_version" VALUES(3);
INSERT INTO "schema_version" VALUES(4);
INSERT INTO "schema_version" VALUES(5);
CREATE TABLE told (
        event_id text not null,
        delivery text not null,
        primary key (event_id, delivery)
    );
CREATE TABLE turn (
        device text not null,
        recipient text not null,
        next double precision not null,
        primary key (device, recipient)
    );
CREATE INDEX event_unplanned on event (seq) where planned is null;
CREATE INDEX decision_event on decision (event_id);
CREATE INDEX delivery_event on delivery (event_id);
CREATE INDEX memory_due on memory (due) where due is not null;
CREATE INDEX delivery_open on delivery (device, priority desc, id, recipient)
        where state in ('queued', 'unknown', 'sending');
CREATE INDEX delivery_sending on delivery (device, recipient) where state = 'sending';
CREATE INDEX delivery_lane on delivery (device, recipient, priority, id)
        where state in ('queued', 'unknown', 'sending');
CREATE INDEX delivery_expiry on delivery (expires) where state in ('queued', 'unknown', 'sending');
CREATE INDEX delivery_same on delivery (recipient, same, changed) where same <> '';
CREATE INDEX attempt_started on attempt (started);
CREATE INDEX delivery_given_up on delivery (changed) where state in ('held', 'dead', 'expired');
CREATE INDEX delivery_state on delivery (state, changed);
CREATE INDEX decision_at on decision (at);
CREATE INDEX event_planned on event (received) where planned is not null;
CREATE INDEX file_open on file (seq) where fate = 'open';
CREATE INDEX file_looked on file (looked) where path is not null and fate <> 'open';
CREATE INDEX file_root on file (root, seq);
CREATE INDEX file_gone on file (gone) where gone is not null;
COMMIT;
