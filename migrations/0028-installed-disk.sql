-- The disk that an install has written, as the installer named it in its report; null: it has not said so.
ALTER TABLE attempts ADD COLUMN work_disk TEXT;
