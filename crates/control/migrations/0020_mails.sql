-- Mails by event. Each member chooses which; the job of a mail is written in the transaction of its event, and names the event
-- and the person only. Words and mailbox are looked up when it is sent, so that who has left meanwhile is not written to.

-- What members choose by. None: no mail is made of such an event.
create function mail_topic(p_kind text, p_data jsonb) returns text
language sql immutable set search_path = public, pg_temp as $$
    select case
        when p_kind in ('measure.decided', 'measure.taken', 'measure.lifted', 'measure.ended', 'complaint.made', 'complaint.answered') then 'decisions'
        when p_kind in ('grant.given', 'grant.broken', 'grant.used', 'token.created', 'token.revoked', 'webhook.created', 'webhook.changed',
                        'webhook.deleted', 'member.rescued') then 'access'
        when p_kind in ('solution.trouble', 'volume.filling', 'volume.full', 'volume.room', 'wish.refused', 'order.failed', 'webhook.failed') then 'trouble'
        when p_kind in ('solution.deleted', 'solution.undone', 'solution.buried') then 'deletion'
        when p_kind in ('solution.created', 'solution.changed', 'solution.started', 'solution.stopped', 'credential.changed') then 'work'
        -- A solution that wakes and sleeps is no news.
        when p_kind = 'order.done' and coalesce(p_data->>'verb', '') not in ('wake', 'sleep') then 'work'
        when p_kind like 'subscription.%' or p_kind = 'payment.entered' then 'money'
        when p_kind in ('member.invited', 'member.changed', 'member.removed', 'account.changed') then 'members'
        when p_kind in ('rules.published', 'rules.accepted') then 'rules'
    end
$$;

-- Whether a role is told of a topic where nothing was chosen.
create function mail_usual(p_topic text, p_role text) returns boolean
language sql immutable set search_path = public, pg_temp as $$
    select p_role = any (case p_topic
        when 'decisions' then array['owner', 'admin']
        when 'access'    then array['owner', 'admin']
        when 'trouble'   then array['owner', 'admin', 'technical']
        when 'deletion'  then array['owner', 'admin', 'technical']
        when 'money'     then array['owner', 'billing']
        when 'members'   then array['owner', 'admin']
        when 'rules'     then array['owner', 'admin']
        else array[]::text[]
    end)
$$;

-- Decisions are addressed to whoever answers for the account: an owner is told of them, whatever was chosen.
create function mail_fixed(p_topic text, p_role text) returns boolean
language sql immutable set search_path = public, pg_temp as $$
    select p_topic = 'decisions' and p_role = 'owner'
$$;

create table mail_choice (
    account uuid not null,
    person  uuid not null,
    topic   text not null check (topic in ('decisions', 'access', 'trouble', 'deletion', 'work', 'money', 'members', 'rules')),
    mail    boolean not null,
    primary key (account, person, topic),
    -- A choice goes with the membership.
    foreign key (account, person) references member (account, person) on delete cascade
);
alter table mail_choice enable row level security;
alter table mail_choice force row level security;
create policy owner_all on mail_choice to husorden_owner using (true) with check (true);
create policy tenant_own on mail_choice to husorden_tenant using (account = bound_account()) with check (account = bound_account());
grant select, insert, update (mail) on mail_choice to husorden_tenant;

create function mail_wanted(p_account uuid, p_person uuid, p_topic text, p_role text) returns boolean
language sql stable set search_path = public, pg_temp as $$
    select mail_fixed(p_topic, p_role)
        or coalesce((select c.mail from mail_choice c where c.account = p_account and c.person = p_person and c.topic = p_topic),
                    mail_usual(p_topic, p_role))
$$;

-- Every topic as it stands for a member, in the order in which people read them; nothing for who is none.
create function mail_choices(p_account uuid, p_person uuid) returns setof jsonb
language sql stable set search_path = public, pg_temp as $$
    select jsonb_build_object('topic', t.topic, 'mail', mail_wanted(m.account, m.person, t.topic, m.role),
                              'usual', mail_usual(t.topic, m.role), 'fixed', mail_fixed(t.topic, m.role))
    from member m cross join unnest(array['decisions', 'access', 'trouble', 'deletion', 'work', 'money', 'members', 'rules'])
                  with ordinality t (topic, place)
    where m.account = p_account and m.person = p_person order by t.place
$$;
grant execute on function mail_fixed(text, text), mail_usual(text, text), mail_wanted(uuid, uuid, text, text), mail_choices(uuid, uuid)
    to husorden_tenant;

-- An allowance keeps a storm of events from becoming one of mails: one an hour of the same trouble of one solution, and sixty at
-- once of everything that is not a decision. What is left out stands in the panel all the same.
create function mail_paced(p_person uuid, p_topic text, p_event event) returns boolean
language sql security definer set search_path = public, pg_temp as $$
    select (p_topic <> 'trouble' or throttle_take(sha256(convert_to(concat_ws(' ', 'mail', p_person, p_event.kind, p_event.solution), 'UTF8')), 1, 1 / 3600.0) = 0)
       and throttle_take(sha256(convert_to('mails ' || p_person, 'UTF8')), 60, 1 / 60.0) = 0
$$;

create function mail_out() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    topic text := mail_topic(new.kind, new.data);
    about jsonb := jsonb_build_object('template', 'event', 'event', new.id);
    one   record;
begin
    if new.account is null or topic is null then return null; end if;
    for one in select m.person from member m join person p on p.id = m.person and p.disabled is null
                where m.account = new.account and mail_wanted(m.account, m.person, topic, m.role) order by m.since, m.person loop
        if topic = 'decisions' or mail_paced(one.person, topic, new) then
            insert into job (kind, subject, due) values ('mail', about || jsonb_build_object('person', one.person), new.visible_from);
        end if;
    end loop;
    -- The account holder is a mailbox of its own, unless an owner has it.
    if topic = 'decisions' and exists (select from account a where a.id = new.account and a.holder->>'email' is not null
            and not exists (select from member m join person p on p.id = m.person and p.disabled is null
                             where m.account = a.id and m.role = 'owner' and p.email = lower(a.holder->>'email'))) then
        insert into job (kind, subject, due) values ('mail', about || '{"holder": true}', new.visible_from);
    end if;
    return null;
end $$;
create trigger mail_out after insert on event for each row execute function mail_out();
grant execute on function mail_out() to husorden_tenant, husorden_staff;

-- What the mail of an event says, to whom. Null: nobody is to be told any more.
create function mail_parcel(p_event bigint, p_person uuid) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object(
        'to', coalesce(p.email, a.holder->>'email'), 'language', coalesce(p.language, a.language), 'kind', e.kind,
        'data', e.data || jsonb_strip_nulls(jsonb_build_object('kind', e.kind, 'account_name', a.name, 'solution', e.solution,
                                                               'name', coalesce(e.data->>'name', s.name))))
    from event e join account a on a.id = e.account
    left join solution s on s.id = e.solution
    left join member m on m.account = e.account and m.person = p_person
    left join person p on p.id = m.person and p.disabled is null
    where e.id = p_event
      and case when p_person is null then a.holder->>'email' is not null
               else p.id is not null and mail_wanted(m.account, m.person, mail_topic(e.kind, e.data), m.role) end
$$;
grant execute on function mail_parcel(bigint, uuid) to husorden_system;
