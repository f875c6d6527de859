-- Deletes counts that others have followed.
delete from usage where version < (select max(version) from usage) - 10
