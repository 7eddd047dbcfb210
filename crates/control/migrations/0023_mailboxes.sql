-- Another e-mail address for a person: confirmed at the new one, told to the old one with a link that takes it back.
create table email_change (
    id        uuid primary key,
    person    uuid not null references person on delete cascade,
    email     text not null check (length(email) between 3 and 254 and email = lower(email)),
    was       text not null,
    digest    bytea not null unique check (length(digest) = 32),
    undo      bytea unique check (length(undo) = 32),
    asked     timestamptz not null default now(),
    expires   timestamptz not null,
    confirmed timestamptz,
    -- Superseded, too old, or taken back.
    ended     timestamptz
);
create unique index email_change_open on email_change (person) where confirmed is null and ended is null;
create index email_change_by_person on email_change (person);
alter table email_change enable row level security;
alter table email_change force row level security;
create policy owner_all on email_change to husorden_owner using (true) with check (true);

-- A wish; an earlier one that waits ends. False: the mailbox is another person's, and nobody is told so.
create function email_ask(p_id uuid, p_person uuid, p_email text, p_digest bytea, p_expires timestamptz) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare held text;
begin
    select email into held from person where id = p_person and disabled is null for update;
    if not found then return false; end if;
    update email_change set ended = now() where person = p_person and confirmed is null and ended is null;
    if exists (select from person where email = p_email) then return false; end if;
    insert into email_change (id, person, email, was, digest, expires) values (p_id, p_person, p_email, held, p_digest, p_expires);
    return true;
end $$;

-- The new mailbox confirms. Links that went to the old one open nothing any more; the one that takes it back begins.
create function email_confirm(p_digest bytea, p_undo bytea) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    c email_change;
    p person;
begin
    select * into c from email_change where digest = p_digest and confirmed is null and ended is null and expires > now();
    if not found then return null; end if;
    select * into p from person where id = c.person and disabled is null for update;
    if not found or p.email <> c.was then return null; end if;
    update email_change set confirmed = now(), undo = p_undo where id = c.id and confirmed is null and ended is null;
    if not found then return null; end if;
    update person set email = c.email where id = p.id;
    update password_reset set ended = now() where person = p.id and ended is null;
    perform rescue_stop(p.id, 'mailbox', 'email');
    return jsonb_build_object('person', p.id, 'email', c.email, 'was', c.was, 'language', p.language);
exception when unique_violation then
    -- Somebody else has the mailbox since.
    return null;
end $$;

-- The old mailbox takes it back, whatever was changed after it; every session ends, for whoever changed it may be in.
create function email_undo(p_digest bytea, p_days integer) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    c email_change;
    p person;
begin
    select * into c from email_change where undo = p_digest and ended is null and confirmed > now() - make_interval(days => p_days);
    if not found then return null; end if;
    select * into p from person where id = c.person for update;
    update email_change set ended = now() where person = p.id and ended is null and (confirmed is null or confirmed >= c.confirmed);
    update person set email = c.was where id = p.id;
    update password_reset set ended = now() where person = p.id and ended is null;
    perform rescue_stop(p.id, 'mailbox', 'email');
    perform session_end(p.id, null, null, 'email');
    return jsonb_build_object('person', p.id, 'email', c.was, 'was', p.email, 'language', p.language);
exception when unique_violation then
    return null;
end $$;

create function sweep_emails() returns void
language sql security definer set search_path = public, pg_temp as $$
    delete from email_change where coalesce(ended, confirmed, expires) < now() - interval '30 days'
$$;
insert into job (kind, every_s) values ('sweep-emails', 86400);

grant execute on function email_ask(uuid, uuid, text, bytea, timestamptz), email_confirm(bytea, bytea), email_undo(bytea, integer), sweep_emails()
    to husorden_system;
